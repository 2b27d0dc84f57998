// Before anything is painted: light or dark, as was chosen in this browser.
const chosen = localStorage.getItem("headrace-theme");
if (chosen) document.documentElement.dataset.theme = chosen;
