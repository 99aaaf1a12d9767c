import { Component, type ReactNode } from "react";
import { ErrorNote } from "./DataView";
import { ApiError } from "../api/problem";

interface BoundaryProps {
  children: ReactNode;
  /** Changes with the page. */
  resetKey: string;
}

interface BoundaryState {
  error: Error | undefined;
  key: string;
}

/** Keeps one broken page from taking the whole user interface with it. */
export class ErrorBoundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { error: undefined, key: this.props.resetKey };

  /** Another page gets a new try. */
  static getDerivedStateFromProps(props: BoundaryProps, state: BoundaryState) {
    return props.resetKey === state.key ? null : { error: undefined, key: props.resetKey };
  }

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    const shown = error instanceof ApiError ? error : new ApiError({ title: error.name, detail: error.message, status: 0 });
    return <ErrorNote error={shown} onRetry={() => this.setState({ error: undefined })} />;
  }
}
