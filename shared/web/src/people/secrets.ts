/** How many digits a PIN has. */
export const pinLength = 6;

/** Why a PIN may not be chosen, as the hub sees it; undefined for a good one. */
export function pinFault(pin: string): "length" | "easy" | undefined {
  if (!/^\d{6}$/.test(pin)) return "length";
  const digits = [...pin].map(Number);
  // The same digit, a run up, a run down; over 9 and 0 too.
  const regular = [0, 1, 9].some((step) => digits.every((d, i) => i === 0 || (digits[i - 1]! + step) % 10 === d));
  return regular ? "easy" : undefined;
}

// Without what is mistaken for something else when it is read aloud or copied by hand.
const letters = "abcdefghjkmnpqrstuvwxyz23456789";

/** A password that nobody guesses and that can be told: four groups of four, 79 bits. */
export function suggestPassword(): string {
  const out: string[] = [];
  while (out.length < 16) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      // Bytes above the last whole multiple would make some letters likelier.
      if (byte < Math.floor(256 / letters.length) * letters.length && out.length < 16) out.push(letters[byte % letters.length]!);
    }
  }
  return out.join("").replace(/(.{4})(?=.)/g, "$1-");
}
