export interface ChosenDevice {
  site_id: string;
  device_id: string;
}

let held: readonly ChosenDevice[] = [];

/** The devices that were chosen on one page for the next: too many for an address. */
export const chosenDevices = {
  get: (): readonly ChosenDevice[] => held,
  set: (devices: readonly ChosenDevice[]): void => {
    held = devices;
  },
};
