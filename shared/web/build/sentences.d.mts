/** Returns "line: sentence" of each literal sentence in a component's source. */
export function sentencesIn(name: string, text: string): string[];
