// Whether the page is being printed, and how wide paper is.

let printing = false;

export function isPrinting() {
  return printing;
}

export function setPrinting(value) {
  printing = value;
}

export const PAPER_WIDTH = 680; // pixels across a printed page
export const COLUMN_WIDTH = 320; // and across one of two columns
