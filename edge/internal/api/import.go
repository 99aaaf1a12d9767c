package api

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// importRoute registers devices of a CSV file.
func (a *API) importRoute() {
	a.rest.Raw(rest.Route{
		OperationID: "import-devices", Method: http.MethodPost, Path: "/api/v1/devices/import", Permission: account.DevicesWrite,
		Summary: "Register the devices of a CSV file", Tags: []string{"devices"}, MaxBody: 4 << 20,
		Consumes: []string{"text/csv"}, Produces: "application/x-ndjson",
		Description: "Columns device_id, type, room, profile, password, legacy_device_id; the last three may be missing. The answer has a line of JSON for each row: " +
			"the device with its password, shown once, or the row's line with what is wrong with it.",
	}, func(c *gin.Context) {
		ctx := c.Request.Context()
		c.Header("Content-Type", "application/x-ndjson")
		enc := json.NewEncoder(c.Writer)
		enc.SetEscapeHTML(false)
		err := a.Registry.Import(ctx, actor(ctx), c.Request.Body, func(row registry.Imported) error {
			if row.Err != nil {
				return enc.Encode(importedRow{Line: row.Line, Error: row.Err.Error()})
			}
			return enc.Encode(importedRow{
				Line: row.Line, DeviceID: row.Device.ID, Username: string(row.Device.ID), Password: row.Password,
				BaseTopic: row.Device.BaseTopic(a.Identity.Site),
			})
		})
		if err != nil {
			a.rest.Fail(c, err)
		}
	})
}

type importedRow struct {
	Line      int            `json:"line"`
	DeviceID  fleet.DeviceID `json:"device_id,omitempty"`
	Username  string         `json:"username,omitempty"`
	Password  string         `json:"password,omitempty"`
	BaseTopic string         `json:"base_topic,omitempty"`
	Error     string         `json:"error,omitempty"`
}
