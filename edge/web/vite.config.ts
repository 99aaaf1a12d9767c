import { userInterface } from "@obedio/web/build";

export default userInterface({
  proxy: process.env.OBEDIO_HUB_ADDRESS ?? "http://127.0.0.1:8080",
  port: 5173,
  firstLoadLimit: 250_000,
  worker: "src/worker/sw.ts",
  program: "./edge/cmd/obedio-hub",
});
