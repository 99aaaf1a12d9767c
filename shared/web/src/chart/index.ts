/** Charts, with uPlot. They come after the first load. */
export * from "./TimeChart";
