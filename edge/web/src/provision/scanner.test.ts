import { encodeQR } from "qr";
import { expect, test } from "vitest";
import { parseLabel } from "./label";
import { codeReader, type Picture } from "./scanner";

const label = JSON.stringify({ hardware_id: "OB-77", key_hash: "ab".repeat(32) });

/** A photograph of a code: grey paper, turned by some degrees, unevenly lit, and a little noisy. */
function photograph(text: string, degrees: number, size = 480): Picture {
  const modules = encodeQR(text, "raw", { ecc: "medium", border: 4 });
  const data = new Uint8ClampedArray(size * size * 4);
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const side = modules.length;
  const perModule = (size * 0.62) / side;
  let noise = 7;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [dx, dy] = [x - size / 2, y - size / 2];
      const column = Math.floor((dx * cos + dy * sin) / perModule + side / 2);
      const row = Math.floor((-dx * sin + dy * cos) / perModule + side / 2);
      noise = (noise * 1_103_515_245 + 12_345) % 2_147_483_648;
      const light = 0.75 + (0.25 * x) / size;
      const value = (modules[row]?.[column] ? 40 : 210) * light + (noise % 17) - 8;
      data.set([value, value, value, 255], (y * size + x) * 4);
    }
  }
  return { data, width: size, height: size };
}

test.each([0, 12, 45, 170])("a label's code is read from a picture that is turned by %i degrees", async (degrees) => {
  const read = await codeReader();
  const [text] = read(photograph(label, degrees));
  expect(parseLabel(text!)).toEqual({ hardwareId: "OB-77", keyHash: "ab".repeat(32) });
});

test("a picture without a code has none", async () => {
  const read = await codeReader();
  expect(read({ data: new Uint8ClampedArray(320 * 240 * 4).fill(128), width: 320, height: 240 })).toEqual([]);
});
