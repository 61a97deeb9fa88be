// The list of studies: it opens as its reader has left the pages of studies.

choice("theme", null, setTheme);
choice("language", null, setLanguage);
