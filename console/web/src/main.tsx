import { applyLanguage, applyTheme } from "@obedio/web";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./app.css";
import { FleetConsole } from "./fleet-console";

applyTheme();
applyLanguage();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App fleet={new FleetConsole()} />
  </StrictMode>,
);
