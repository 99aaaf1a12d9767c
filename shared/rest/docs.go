package rest

import (
	"embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// docsFiles is the viewer of the OpenAPI document: a page with its own script
// and style, which asks no other host for anything.
//
//go:embed docs/index.html docs/docs.js docs/docs.css
var docsFiles embed.FS

// registerDocuments adds the OpenAPI document and its viewer.
func (a *API) registerDocuments() {
	a.Raw(Route{
		OperationID: "openapi", Method: http.MethodGet, Path: "/api/v1/openapi.json", Public: true,
		Summary: "This document", Tags: []string{"system"}, Produces: "application/openapi+json",
	}, func(c *gin.Context) {
		doc, err := a.document()
		if err != nil {
			a.Fail(c, err)
			return
		}
		c.Data(http.StatusOK, "application/openapi+json", doc)
	})
	for _, f := range []struct{ id, path, file, mime string }{
		{"docs", "/api/docs", "docs/index.html", "text/html; charset=utf-8"},
		{"docs-script", "/api/docs/docs.js", "docs/docs.js", "text/javascript; charset=utf-8"},
		{"docs-style", "/api/docs/docs.css", "docs/docs.css", "text/css; charset=utf-8"},
	} {
		a.Raw(Route{
			OperationID: f.id, Method: http.MethodGet, Path: f.path, Public: true,
			Summary: "Viewer of this document", Tags: []string{"system"}, Produces: f.mime,
		}, func(c *gin.Context) {
			data, err := docsFiles.ReadFile(f.file)
			if err != nil {
				a.Fail(c, err)
				return
			}
			c.Data(http.StatusOK, f.mime, data)
		})
	}
}

// Document is the OpenAPI document as JSON: for GET /api/v1/openapi.json and
// for the command that writes it to a file. No route can be added after it.
func (a *API) Document() ([]byte, error) { return a.document() }
