import { userInterface } from "@obedio/web/build";

export default userInterface({
  proxy: process.env.OBEDIO_CONSOLE_ADDRESS ?? "http://127.0.0.1:8090",
  port: 5174,
  firstLoadLimit: 300_000,
});
