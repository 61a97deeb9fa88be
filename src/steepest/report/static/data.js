// The data that the page came with: the view of the study, its trials, and tables for other programs.

export const data = JSON.parse(document.getElementById("view").textContent);
export const view = data.view;
