// The list of studies: it opens as its reader has left the pages of studies.

import { setLanguage } from "./language.js";
import { choice } from "./preferences.js";
import { setTheme } from "./theme.js";

choice("theme", null, setTheme);
choice("language", null, setLanguage);
