/** The API client alone, for what runs beside the pages: it brings no component. */
export * from "./client";
export * from "./problem";
