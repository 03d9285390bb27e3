/** Draws what terminals showed as an SVG picture. Pure. */

interface TerminalWindow {
  readonly title: string;
  readonly lines: readonly TerminalLine[];
}

export interface TerminalLine {
  /** `command`: what was typed, after a prompt; `note`: not of the terminal, for whoever looks at the picture. */
  readonly kind: 'command' | 'output' | 'note';
  readonly text: string;
}

/** Pixels. A character's width is set, so that columns stand below each other in every font. */
const character = 8;
const lineHeight = 19;
const fontSize = 13;
const margin = 16;
const titleHeight = 30;
const gap = 14;

/** Longer lines are cut, with an ellipsis. */
const columns = 110;

const colours = {
  background: '#1e1e2e',
  title: '#313244',
  titleText: '#a6adc8',
  prompt: '#a6e3a1',
  command: '#ffffff',
  output: '#bac2de',
  note: '#7f849c',
};

export function drawTerminals(windows: readonly TerminalWindow[], description: string): string {
  const width = columns * character + 2 * margin;
  const parts: string[] = [];
  let top = 0;
  for (const window of windows) {
    const height = titleHeight + window.lines.length * lineHeight + 2 * margin;
    parts.push(drawWindow(window, top, width, height));
    top += height + gap;
  }
  const height = top - gap;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(description)}</title>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${fontSize}">`,
    ...parts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function drawWindow({ title, lines }: TerminalWindow, top: number, width: number, height: number): string {
  const texts = lines.map((line, index) =>
    drawLine(line, top + titleHeight + margin + index * lineHeight + fontSize),
  );
  return [
    `<rect x="0" y="${top}" width="${width}" height="${height}" rx="8" fill="${colours.background}"/>`,
    `<path d="M0 ${top + titleHeight} V${top + 8} q0 -8 8 -8 H${width - 8} q8 0 8 8 V${top + titleHeight} Z" fill="${colours.title}"/>`,
    ...['#f38ba8', '#f9e2af', '#a6e3a1'].map(
      (fill, index) => `<circle cx="${18 + index * 18}" cy="${top + titleHeight / 2}" r="5" fill="${fill}"/>`,
    ),
    span(title, width / 2 - (title.length * character) / 2, top + titleHeight / 2 + 5, colours.titleText),
    ...texts,
  ].join('\n');
}

function drawLine({ kind, text }: TerminalLine, y: number): string {
  if (kind !== 'command') return span(shorten(text, columns), margin, y, colours[kind]);
  return (
    span('$', margin, y, colours.prompt) +
    span(shorten(text, columns - 2), margin + 2 * character, y, colours.command)
  );
}

function span(text: string, x: number, y: number, fill: string): string {
  if (text === '') return '';
  const length = text.length * character;
  return `<text x="${x}" y="${y}" fill="${fill}" xml:space="preserve" textLength="${length}" lengthAdjust="spacing">${escape(text)}</text>`;
}

function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
