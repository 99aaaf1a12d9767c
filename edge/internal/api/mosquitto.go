package api

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// mosquittoNote says what was not done as a file says, and why.
type mosquittoNote struct {
	File    string `json:"file" enum:"passwd,dynsec,hub"`
	Line    int    `json:"line,omitempty" doc:"In a password file, from 1."`
	Entry   string `json:"entry" doc:"What it is about, such as client btn-001."`
	Problem string `json:"problem"`
}

func mosquittoNotes(notes []mosquitto.Note) []mosquittoNote {
	out := make([]mosquittoNote, len(notes))
	for i, n := range notes {
		out[i] = mosquittoNote(n)
	}
	return out
}

type mosquittoFiles struct {
	Passwd string          `json:"passwd" doc:"The password file."`
	Dynsec string          `json:"dynsec" doc:"The file of the dynamic security plugin."`
	Notes  []mosquittoNote `json:"notes" nullable:"false"`
}

// mosquittoReport is what an import did, or would do.
type mosquittoReport struct {
	DryRun      bool             `json:"dry_run"`
	Registered  []fleet.DeviceID `json:"registered" nullable:"false" doc:"Devices that were made."`
	Credentials []fleet.DeviceID `json:"credentials" nullable:"false" doc:"Devices whose password is that of the files now."`
	ACLs        []string         `json:"acls" nullable:"false" doc:"Documents that are new or were changed."`
	Notes       []mosquittoNote  `json:"notes" nullable:"false" doc:"What was left out, or is different here."`
}

// mosquittoRegister says what users become that are no devices yet.
type mosquittoRegister struct {
	Type string `json:"type" enum:"button,watch,repeater,sensor"`
	Room string `json:"room" maxLength:"64"`
}

func (a *API) mosquittoRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "import-mosquitto", Method: http.MethodPost, Path: "/api/v1/security/mosquitto/import", Permission: account.SecurityWrite,
		Summary: "Bring in Mosquitto's password and dynamic security files", Tags: tags, MaxBody: 8 << 20,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Passwd   string             `json:"passwd,omitempty" doc:"Text of the password file."`
			Dynsec   string             `json:"dynsec,omitempty" doc:"Text of the dynamic security file."`
			DryRun   bool               `json:"dry_run,omitempty" doc:"Change nothing, and answer the same."`
			Register *mosquittoRegister `json:"register,omitempty" doc:"Register users that are no devices yet."`
		} `nameHint:"MosquittoImport"`
	}) (*struct{ Body mosquittoReport }, error) {
		var register *mosquitto.Register
		if r := in.Body.Register; r != nil {
			register = &mosquitto.Register{Type: fleet.DeviceType(r.Type), Room: fleet.RoomID(r.Room)}
		}
		files := mosquitto.Files{Passwd: in.Body.Passwd, Dynsec: in.Body.Dynsec}
		r, err := a.Mosquitto.Import(ctx, actor(ctx), files, register, in.Body.DryRun)
		if err != nil {
			return nil, err
		}
		return &struct{ Body mosquittoReport }{mosquittoReport{
			DryRun: r.DryRun, Registered: r.Registered, Credentials: r.Credentials, ACLs: r.ACLs, Notes: mosquittoNotes(r.Notes),
		}}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "export-mosquitto", Method: http.MethodGet, Path: "/api/v1/security/mosquitto/export", Permission: account.SecurityWrite,
		Summary: "Devices, passwords and rights as Mosquitto's files", Tags: tags,
		Description: "The files hold password hashes.",
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body mosquittoFiles }, error) {
		files, notes, err := a.Mosquitto.Export()
		if err != nil {
			return nil, err
		}
		a.record(ctx, security.FilesExported, "", nil)
		return &struct{ Body mosquittoFiles }{mosquittoFiles{files.Passwd, files.Dynsec, mosquittoNotes(notes)}}, nil
	})
}
