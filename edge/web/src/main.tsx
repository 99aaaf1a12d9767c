import { applyLanguage, applyTheme } from "@obedio/web";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./app.css";
import { Hub } from "./hub";
import { registerWorker } from "./worker/registration";

applyTheme();
applyLanguage();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App hub={new Hub()} />
  </StrictMode>,
);
void registerWorker();
