package api

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

type mosquittoFiles struct {
	Passwd string           `json:"passwd" doc:"The password file."`
	Dynsec string           `json:"dynsec" doc:"The file of the dynamic security plugin."`
	Notes  []mosquitto.Note `json:"notes" nullable:"false"`
}

func (a *API) mosquittoRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "import-mosquitto", Method: http.MethodPost, Path: "/api/v1/security/mosquitto/import", Permission: account.SecurityWrite,
		Summary: "Bring in Mosquitto's password and dynamic security files", Tags: tags, MaxBody: 8 << 20,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Passwd   string `json:"passwd,omitempty" doc:"Text of the password file."`
			Dynsec   string `json:"dynsec,omitempty" doc:"Text of the dynamic security file."`
			DryRun   bool   `json:"dry_run,omitempty" doc:"Change nothing, and answer the same."`
			Register *struct {
				Type string `json:"type" enum:"button,watch,repeater,sensor"`
				Room string `json:"room" maxLength:"64"`
			} `json:"register,omitempty" doc:"Register users that are no devices yet."`
		} `nameHint:"MosquittoImport"`
	}) (*struct{ Body mosquitto.Report }, error) {
		var register *mosquitto.Register
		if r := in.Body.Register; r != nil {
			register = &mosquitto.Register{Type: fleet.DeviceType(r.Type), Room: fleet.RoomID(r.Room)}
		}
		files := mosquitto.Files{Passwd: in.Body.Passwd, Dynsec: in.Body.Dynsec}
		report, err := a.Mosquitto.Import(ctx, actor(ctx), files, register, in.Body.DryRun)
		if err != nil {
			return nil, err
		}
		return &struct{ Body mosquitto.Report }{report}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "export-mosquitto", Method: http.MethodGet, Path: "/api/v1/security/mosquitto/export", Permission: account.SecurityWrite,
		Summary: "Devices, passwords and rights as Mosquitto's files", Tags: tags,
		Description: "The files hold password hashes.",
	}, func(context.Context, *struct{}) (*struct{ Body mosquittoFiles }, error) {
		files, notes, err := a.Mosquitto.Export()
		if err != nil {
			return nil, err
		}
		return &struct{ Body mosquittoFiles }{mosquittoFiles{files.Passwd, files.Dynsec, notes}}, nil
	})
}
