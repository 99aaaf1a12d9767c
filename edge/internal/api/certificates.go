package api

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// CertificateView is a certificate as people see it. Exported, as DeviceBody is.
type CertificateView struct {
	Serial      string                 `json:"serial"`
	Kind        fleet.CertificateKind  `json:"kind" enum:"device,server,authority"`
	DeviceID    fleet.DeviceID         `json:"device_id,omitempty"`
	Fingerprint string                 `json:"fingerprint_sha256"`
	IssuedAt    time.Time              `json:"issued_at"`
	NotBefore   time.Time              `json:"not_before"`
	NotAfter    time.Time              `json:"not_after"`
	State       string                 `json:"state" enum:"valid,due,expired,revoked" doc:"due: two thirds of its time are over, or its authority is being replaced."`
	RevokedAt   *time.Time             `json:"revoked_at,omitempty"`
	Reason      fleet.RevocationReason `json:"reason,omitempty"`
	PEM         string                 `json:"pem,omitempty" doc:"Only of a single one, while the hub has it."`
}

func (a *API) viewCertificate(c fleet.Certificate) CertificateView {
	v := CertificateView{
		Serial: c.Serial, Kind: c.Kind, DeviceID: c.Device, Fingerprint: c.Fingerprint, IssuedAt: c.IssuedAt,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, State: "valid", Reason: c.Reason,
	}
	switch {
	case c.Revoked():
		v.State, v.RevokedAt = "revoked", &c.RevokedAt
	case a.Time.Certain().After(c.NotAfter):
		v.State = "expired"
	case a.PKI.Due(c):
		v.State = "due"
	}
	return v
}

func (v CertificateView) field(name string) []string {
	switch name {
	case "":
		return []string{v.Serial, string(v.DeviceID)}
	case "serial":
		return []string{v.Serial}
	case "kind":
		return []string{string(v.Kind)}
	case "device":
		return []string{string(v.DeviceID)}
	case "state":
		return []string{v.State}
	}
	return nil
}

// SerialPath is the path of one certificate. Exported, as DeviceBody is.
type SerialPath struct {
	Serial string `path:"id" maxLength:"40" doc:"Its serial number."`
}

type certificateOutput struct{ Body CertificateView }

type issueInput struct {
	Body struct {
		DeviceID string `json:"device_id" maxLength:"64"`
		CSR      string `json:"csr,omitempty" maxLength:"8192" doc:"PKCS #10 in PEM. Without it the hub makes a key and tells it, once."`
	} `nameHint:"NewCertificate"`
}

type issuedOutput struct {
	Location string `header:"Location"`
	Body     issuedCertificate
}

// issuedCertificate is what a device needs.
type issuedCertificate struct {
	CertificateView
	Certificate string `json:"certificate" doc:"PEM."`
	Chain       string `json:"chain" doc:"PEM: the certificates that the device is to trust."`
	PrivateKey  string `json:"private_key,omitempty" doc:"PEM, PKCS #8. Shown once; the hub does not keep it."`
}

func (a *API) certificateRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-certificates", Method: http.MethodGet, Path: "/api/v1/security/certificates", Permission: account.SecurityRead,
		Summary: "Certificates of the site's authority, by serial number", Tags: tags,
		Description: "filter is the typed grammar: device:btn-* state:due kind:device.",
	}, func(_ context.Context, in *struct {
		rest.PageInput
		Filter string `query:"filter" maxLength:"500"`
	}) (*struct{ Body rest.Page[CertificateView] }, error) {
		fields := filter.Fields{"serial": filter.Text, "kind": filter.Text, "device": filter.Text, "state": filter.Text}
		q, err := filter.Parse(in.Filter, fields)
		if err != nil {
			return nil, err
		}
		after, err := rest.DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		var rows []CertificateView
		err = store.Entities(a.Store, after, func(c fleet.Certificate) bool {
			if v := a.viewCertificate(c); q.Match(v.field) {
				rows = append(rows, v)
			}
			return len(rows) <= in.Limit
		})
		return &struct{ Body rest.Page[CertificateView] }{
			rest.PageOf(rows, in.Limit, func(v CertificateView) any { return v.Serial }),
		}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-certificate", Method: http.MethodGet, Path: "/api/v1/security/certificates/{id}", Permission: account.SecurityRead,
		Summary: "One certificate", Tags: tags,
	}, func(_ context.Context, in *SerialPath) (*certificateOutput, error) {
		c, err := a.PKI.Certificate(in.Serial)
		if err != nil {
			return nil, err
		}
		v := a.viewCertificate(c)
		der, found, err := a.PKI.Bytes(c.Serial)
		if found {
			v.PEM = string(identity.PEM(der))
		}
		return &certificateOutput{v}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "issue-certificate", Method: http.MethodPost, Path: "/api/v1/security/certificates", Permission: account.ProvisionWrite,
		Status: http.StatusCreated, Summary: "Issue a certificate for a registered device", Tags: tags,
		Description: "The certificates that it has count until the device has come with the new one. Devices that join the site " +
			"get theirs by a provisioning token.",
	}, a.issueCertificate)
	rest.Register(a.rest, rest.Route{
		OperationID: "revoke-certificate", Method: http.MethodDelete, Path: "/api/v1/security/certificates/{id}", Permission: account.SecurityWrite,
		Summary: "Revoke a certificate", Tags: tags,
		Description: "The connection that was made with it ends at once, without its will.",
	}, func(ctx context.Context, in *struct {
		SerialPath
		Reason string `query:"reason" enum:"unspecified,key_compromise,superseded,cessation_of_operation" doc:"RFC 5280, 5.3.1."`
	}) (*struct{}, error) {
		why, err := fleet.ParseRevocationReason(in.Reason)
		if err != nil {
			return nil, err
		}
		return nil, a.PKI.Revoke(ctx, actor(ctx), in.Serial, why)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "replace-authority", Method: http.MethodPost, Path: "/api/v1/security/authority", Permission: account.SystemWrite,
		Status: http.StatusNoContent, Summary: "Begin a new authority of the site", Tags: tags,
		Description: "The old one counts until all its devices have renewed their certificates. It happens by itself a year before its end.",
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) { return nil, a.PKI.Roll(ctx) })
	a.rest.Raw(rest.Route{
		OperationID: "get-authority", Method: http.MethodGet, Path: "/api/v1/provision/ca.crt", Public: true,
		Summary: "The certificates to trust, in PEM", Tags: []string{"provisioning"}, Produces: "application/x-pem-file",
	}, func(c *gin.Context) {
		c.Header("Content-Disposition", `attachment; filename="obedio-`+string(a.Identity.Site)+`.crt"`)
		c.Data(http.StatusOK, "application/x-x509-ca-cert", a.PKI.AnchorsPEM())
	})
	a.rest.Raw(rest.Route{
		OperationID: "get-revocation-list", Method: http.MethodGet, Path: "/api/v1/provision/site.crl", Public: true,
		Summary: "The list of revoked certificates (RFC 5280), DER", Tags: []string{"provisioning"}, Produces: "application/pkix-crl",
	}, func(c *gin.Context) {
		der, err := a.PKI.RevocationList()
		if err != nil {
			a.rest.Fail(c, err)
			return
		}
		c.Data(http.StatusOK, "application/pkix-crl", der)
	})
}

func (a *API) issueCertificate(ctx context.Context, in *issueInput) (*issuedOutput, error) {
	d, err := a.device(in.Body.DeviceID)
	if err != nil {
		return nil, err
	}
	out := &issuedOutput{}
	var key []byte
	pub, err := pki.ParseRequest([]byte(in.Body.CSR))
	if in.Body.CSR == "" {
		if err := privately(ctx); err != nil {
			return nil, err
		}
		made, makeErr := identity.NewKey()
		if makeErr != nil {
			return nil, makeErr
		}
		if key, err = identity.EncodeKey(made); err == nil {
			pub = &made.PublicKey
		}
	}
	if err != nil {
		return nil, err
	}
	var cert *x509.Certificate
	err = a.Journal.Do(ctx, func(tx *journal.Tx) (err error) {
		cert, err = a.PKI.IssueIn(tx, actor(ctx), d.ID, pub)
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := a.PKI.Certificate(fmt.Sprintf("%x", cert.SerialNumber.Bytes()))
	if err != nil {
		return nil, err
	}
	out.Location = "/api/v1/security/certificates/" + c.Serial
	out.Body = issuedCertificate{
		CertificateView: a.viewCertificate(c), Certificate: string(identity.PEM(cert.Raw)), Chain: string(a.PKI.AnchorsPEM()),
	}
	if key != nil {
		out.Body.PrivateKey = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	}
	return out, nil
}
