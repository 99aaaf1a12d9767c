import { Component, type ReactNode } from "react";
import { ErrorNote } from "./DataView";
import { ApiError } from "../api/problem";

/** Keeps one broken page from taking the whole user interface with it. */
export class ErrorBoundary extends Component<{ children: ReactNode; resetKey: string }, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidUpdate(before: { resetKey: string }) {
    if (before.resetKey !== this.props.resetKey && this.state.error) this.setState({ error: undefined });
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    const shown = error instanceof ApiError ? error : new ApiError({ title: error.name, detail: error.message, status: 0 });
    return <ErrorNote error={shown} onRetry={() => this.setState({ error: undefined })} />;
  }
}
