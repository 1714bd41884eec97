/** Tables for a terminal. */

export type Cell = string | number;

/** Columns are as wide as their widest cell; numbers stand right, words left. The first row is the heads. */
export function formatTable(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [heads, ...rows.map((row) => row.map(cellText))];
  const widths = heads.map((_, column) => Math.max(...texts.map((row) => (row[column] ?? '').length)));
  const toRight = heads.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]) =>
    widths
      .map((width, column) => {
        const text = row[column] ?? '';
        return toRight[column] ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const [head, ...body] = texts;
  return [line(head), rule, ...body.map(line), ''].join('\n');
}

/** 1234567 as 1,234,567: the same on every machine, whatever its locale. */
export function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  const [whole, fraction] = String(cell).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A share of a whole for a table: 0 % and 100 % only where they are exact. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '-';
  const share = (100 * part) / whole;
  if (share === 0 || share === 100) return `${share} %`;
  return `${Math.min(Math.max(share, 0.01), 99.99).toFixed(share < 1 || share > 99 ? 2 : 1)} %`;
}
