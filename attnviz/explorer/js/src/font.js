// The letters of figures: what the static plots use, where it is installed.
export const FONT = '"DejaVu Sans", Verdana, "Helvetica Neue", Arial, sans-serif';
