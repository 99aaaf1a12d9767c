// Package rest is what both REST faces share: one table of routes with the
// permission of each, errors as application/problem+json (RFC 9457), pages,
// idempotency, preconditions, live events, sign-in, the OpenAPI document with
// its viewer, health and the static UI.
//
// What always holds: a request reaches a handler only through a route of the
// table, after its subject has been found and account.Policy.Can has said yes;
// every answer to a request that fails under /api is a Problem with the id of
// the request; no detail of an error that is the program's own fault leaves
// the program. Bad requests are counted, not logged.
//
// Routes are registered before Handler is called, from one goroutine; after
// that everything is safe for use from every goroutine. gin and huma stay
// behind this package and the api packages of the programs.
package rest
