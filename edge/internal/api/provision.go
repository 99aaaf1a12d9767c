package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// ProvisionToken is a provisioning token as people see it. Exported, as DeviceBody is.
type ProvisionToken struct {
	ID              string           `json:"id"`
	State           store.TokenState `json:"state" enum:"open,used,expired,revoked"`
	DeviceID        fleet.DeviceID   `json:"device_id,omitempty" doc:"The one that it is for, or that came of it."`
	Type            fleet.DeviceType `json:"type"`
	Room            fleet.RoomID     `json:"room"`
	Name            string           `json:"name,omitempty"`
	SecurityProfile string           `json:"security_profile,omitempty"`
	Replaces        bool             `json:"replaces,omitempty" doc:"The device is registered and gets other hardware."`
	HardwareID      string           `json:"hardware_id,omitempty" doc:"A window for the device with this label."`
	CreatedBy       resource.Actor   `json:"created_by"`
	CreatedAt       time.Time        `json:"created_at"`
	ExpiresAt       time.Time        `json:"expires_at"`
	UsedAt          *time.Time       `json:"used_at,omitempty"`
	Serial          string           `json:"serial,omitempty" doc:"Of the certificate that came of it."`
}

func provisionTokenOf(t store.Token) ProvisionToken {
	v := ProvisionToken{
		ID: t.ID, State: t.State, DeviceID: t.Device, Type: t.Type, Room: t.Room, Name: t.Name, SecurityProfile: t.Profile,
		Replaces: t.Replaces, HardwareID: t.Hardware, CreatedBy: resource.ActorOf(t.CreatedBy), CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, Serial: t.Serial,
	}
	if t.Claimed != "" {
		v.DeviceID = t.Claimed
	}
	if !t.UsedAt.IsZero() {
		v.UsedAt = &t.UsedAt
	}
	return v
}

// newTokenInput says what a device that joins is to be.
type newTokenInput struct {
	Type            string `json:"type,omitempty" enum:"button,watch,repeater,sensor" doc:"Needed unless a device is replaced."`
	Room            string `json:"room,omitempty" maxLength:"64" doc:"Needed unless a device is replaced."`
	DeviceID        string `json:"device_id,omitempty" maxLength:"64" doc:"Its id; without, the device or the hub chooses one."`
	Name            string `json:"name,omitempty" maxLength:"128"`
	SecurityProfile string `json:"security_profile,omitempty" maxLength:"64" doc:"The type's own profile if absent."`
	Replaces        bool   `json:"replaces,omitempty" doc:"device_id is registered, and other hardware takes its place; its history stays."`
	HardwareID      string `json:"hardware_id,omitempty" maxLength:"64" doc:"Of a scanned label: opens a window for that hardware instead of making a token."`
	KeyHash         string `json:"key_hash,omitempty" maxLength:"64" doc:"Of the label: SHA-256 of the device's public key (SubjectPublicKeyInfo), in hexadecimal digits."`
	LifeS           int    `json:"life_s,omitempty" minimum:"1" doc:"Seconds; 30 minutes if absent, at most 7 days."`
}

func (i newTokenInput) want() provision.Want {
	return provision.Want{
		Device: fleet.DeviceID(i.DeviceID), Type: fleet.DeviceType(i.Type), Room: fleet.RoomID(i.Room), Name: i.Name,
		Profile: i.SecurityProfile, Replaces: i.Replaces, Hardware: i.HardwareID, Key: i.KeyHash, Life: time.Duration(i.LifeS) * time.Second,
	}
}

// newProvisionToken is a new token with what a device needs to use it. It is told once.
type newProvisionToken struct {
	ProvisionToken
	Token   string             `json:"token,omitempty"`
	Code    string             `json:"code,omitempty" doc:"To be typed."`
	Payload *provision.Payload `json:"payload,omitempty" doc:"What the QR code holds."`
	QRSVG   string             `json:"qr_svg,omitempty"`
	QRPNG   []byte             `json:"qr_png,omitempty" doc:"Base64."`
}

type newProvisionTokenOutput struct {
	Location     string `header:"Location"`
	CacheControl string `header:"Cache-Control"`
	Body         newProvisionToken
}

// TokenPath is the path of one token. Exported, as DeviceBody is.
type TokenPath struct {
	ID string `path:"id" maxLength:"64"`
}

// claimInput is what a device brings.
type claimInput struct {
	Token      string `json:"token,omitempty" maxLength:"64"`
	Code       string `json:"code,omitempty" maxLength:"64"`
	DeviceID   string `json:"device_id,omitempty" maxLength:"64" doc:"The id that it wants, if the token leaves that open."`
	HardwareID string `json:"hardware_id,omitempty" maxLength:"64" doc:"Without token and code: that of its label, for which a window is open."`
	CSR        string `json:"csr,omitempty" maxLength:"8192" doc:"PKCS #10 in PEM, for a P-256 key. Without it the device gets a password, if its profile allows that."`
	MakeKey    bool   `json:"make_key,omitempty" doc:"The hub makes the key, for a device that cannot. It is told once."`
}

func (i claimInput) claim(from string) (provision.Claim, error) {
	c := provision.Claim{
		Token: i.Token, Code: i.Code, Hardware: i.HardwareID, Device: fleet.DeviceID(i.DeviceID), MakeKey: i.MakeKey, From: from,
	}
	var err error
	if i.CSR != "" {
		c.Key, err = pki.ParseRequest([]byte(i.CSR))
	}
	return c, err
}

// claimed is what a device gets.
type claimed struct {
	DeviceID      fleet.DeviceID          `json:"device_id"`
	Certificate   string                  `json:"certificate,omitempty" doc:"PEM."`
	Chain         string                  `json:"chain" doc:"PEM: the certificates to trust."`
	PrivateKey    string                  `json:"private_key,omitempty" doc:"PEM, PKCS #8. Told once."`
	Username      string                  `json:"username,omitempty"`
	Password      string                  `json:"password,omitempty" doc:"Told once."`
	SigningKey    string                  `json:"signing_key,omitempty" doc:"Base64. Told to who has the key of the certificate."`
	BrokerURLs    []string                `json:"broker_urls" nullable:"false" doc:"The best first."`
	Topics        map[string]string       `json:"topics"`
	Configuration provision.Configuration `json:"configuration"`
	Time          time.Time               `json:"time" doc:"What the hub's clock says."`
}

func (a *API) claimed(c provision.Claimed) claimed {
	out := claimed{
		DeviceID: c.Device.ID, Certificate: string(c.Certificate), Chain: string(c.Anchors), PrivateKey: string(c.PrivateKey),
		Password: c.Password, BrokerURLs: []string{}, Topics: provision.Topics(a.Identity.Site, c.Device),
		Configuration: c.Configuration, Time: fleet.Millis(a.now()),
	}
	if c.SigningKey != nil {
		out.SigningKey = provision.EncodeKey(c.SigningKey)
	}
	urls := []string{c.Addresses.MQTTS, c.Addresses.WSS}
	if c.Password != "" {
		out.Username = string(c.Device.ID)
		urls = append(urls, c.Addresses.MQTT, c.Addresses.WS)
	}
	for _, u := range urls {
		if u != "" {
			out.BrokerURLs = append(out.BrokerURLs, u)
		}
	}
	return out
}

// ClaimMessage answers a claim that came over MQTT: the answer of the REST route,
// or a problem.
func (a *API) ClaimMessage(ctx context.Context, payload []byte, from string) []byte {
	answer, err := func() (claimed, error) {
		var in claimInput
		if err := json.Unmarshal(payload, &in); err != nil {
			return claimed{}, rest.NewProblem(rest.TypeSyntax, "claim is not JSON")
		}
		c, err := in.claim(from)
		if err != nil {
			return claimed{}, err
		}
		got, err := a.Provision.Claim(ctx, c)
		return a.claimed(got), err
	}()
	var b []byte
	if err != nil {
		b, err = json.Marshal(rest.ProblemOf(err))
	} else {
		b, err = json.Marshal(answer)
	}
	if err != nil {
		return []byte(`{"title":"The program failed","status":500}`)
	}
	return b
}

func (a *API) provisionRoutes() {
	tags := []string{"provisioning"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-provision-tokens", Method: http.MethodGet, Path: "/api/v1/provision/tokens", Permission: account.ProvisionWrite,
		Summary: "Provisioning tokens and windows, the newest first", Tags: tags,
	}, func(_ context.Context, in *rest.PageInput) (*struct{ Body rest.Page[ProvisionToken] }, error) {
		before, err := rest.DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		all, err := a.Provision.Tokens()
		if err != nil {
			return nil, err
		}
		var rows []ProvisionToken
		for _, t := range all {
			if (before == "" || t.ID < before) && len(rows) <= in.Limit {
				rows = append(rows, provisionTokenOf(t))
			}
		}
		return &struct{ Body rest.Page[ProvisionToken] }{rest.PageOf(rows, in.Limit, func(v ProvisionToken) any { return v.ID })}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "make-provision-token", Method: http.MethodPost, Path: "/api/v1/provision/tokens", Permission: account.ProvisionWrite,
		Status: http.StatusCreated, Summary: "Let one device join the site", Tags: tags,
		// Not idempotent: the answer has a secret, which is kept nowhere.
		Description: "Answers with a token, a short code and a QR code (version 2.0), told once. With hardware_id and key_hash, which a " +
			"device's label shows, it opens a window for that device instead.",
	}, func(ctx context.Context, in *struct {
		Body newTokenInput `nameHint:"NewProvisionToken"`
	}) (*newProvisionTokenOutput, error) {
		return a.makeToken(ctx, in.Body)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-provision-token", Method: http.MethodGet, Path: "/api/v1/provision/tokens/{id}", Permission: account.ProvisionWrite,
		Summary: "How a token stands", Tags: tags,
	}, func(_ context.Context, in *TokenPath) (*struct{ Body ProvisionToken }, error) {
		t, err := a.Provision.Token(in.ID)
		return &struct{ Body ProvisionToken }{provisionTokenOf(t)}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "revoke-provision-token", Method: http.MethodDelete, Path: "/api/v1/provision/tokens/{id}", Permission: account.ProvisionWrite,
		Summary: "Take a token back", Tags: tags,
	}, func(ctx context.Context, in *TokenPath) (*struct{}, error) {
		return nil, a.Provision.Revoke(ctx, actor(ctx), in.ID)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "provision-device", Method: http.MethodPost, Path: "/api/v1/devices/{id}/provision", Permission: account.ProvisionWrite,
		Status: http.StatusCreated, Summary: "Let other hardware take a device's place", Tags: tags,
		Description: "A token as of /provision/tokens, for this device: what it has had to show who it is counts no more once the token is used. Its history stays.",
	}, func(ctx context.Context, in *struct {
		DevicePath
		Body struct {
			HardwareID string `json:"hardware_id,omitempty" maxLength:"64"`
			KeyHash    string `json:"key_hash,omitempty" maxLength:"64"`
			LifeS      int    `json:"life_s,omitempty" minimum:"1"`
		} `nameHint:"Replacement"`
	}) (*newProvisionTokenOutput, error) {
		return a.makeToken(ctx, newTokenInput{
			DeviceID: in.ID, Replaces: true, HardwareID: in.Body.HardwareID, KeyHash: in.Body.KeyHash, LifeS: in.Body.LifeS,
		})
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "claim", Method: http.MethodPost, Path: "/api/v1/provision/claim", Public: true,
		Summary: "A device joins the site", Tags: tags, MaxBody: 16 << 10,
		Errors: []int{http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests},
		Description: "The same token with the same key gets the same answer again; another key gets 409. A device that has a label " +
			"brings hardware_id and csr only, when a person has opened the window for it.",
	}, func(ctx context.Context, in *struct {
		Body claimInput `nameHint:"Claim"`
	}) (*struct {
		CacheControl string `header:"Cache-Control"`
		Body         claimed
	}, error) {
		c, err := in.Body.claim(rest.From(ctx))
		if err == nil && c.MakeKey {
			err = privately(ctx)
		}
		if err != nil {
			return nil, err
		}
		got, err := a.Provision.Claim(ctx, c)
		if err != nil {
			return nil, err
		}
		return &struct {
			CacheControl string `header:"Cache-Control"`
			Body         claimed
		}{"no-store", a.claimed(got)}, nil
	})
	a.rest.Raw(rest.Route{
		OperationID: "get-qr", Method: http.MethodPost, Path: "/api/v1/provision/qr", Permission: account.ProvisionWrite,
		Summary: "A text as a QR code, to print", Tags: tags, Produces: "image/svg+xml", AlsoProduces: []string{"image/png"},
		Params: map[string]string{"format": "svg or png"}, Consumes: []string{"text/plain"}, MaxBody: 2 << 10,
	}, a.qrCode)
}

func (a *API) makeToken(ctx context.Context, in newTokenInput) (*newProvisionTokenOutput, error) {
	m, err := a.Provision.Make(ctx, actor(ctx), in.want())
	if err != nil {
		return nil, err
	}
	out := &newProvisionTokenOutput{
		Location: "/api/v1/provision/tokens/" + m.ID, CacheControl: "no-store",
		Body: newProvisionToken{ProvisionToken: provisionTokenOf(m.Token), Token: m.SecretText, Code: m.CodeText},
	}
	if m.SecretText == "" {
		return out, nil
	}
	p, err := a.Provision.Payload(m)
	if err != nil {
		return nil, err
	}
	text, err := p.Text()
	if err != nil {
		return nil, err
	}
	out.Body.Payload = &p
	if out.Body.QRSVG, err = provision.SVG(text); err != nil {
		return nil, err
	}
	out.Body.QRPNG, err = provision.PNG(text)
	return out, err
}

func (a *API) qrCode(c *gin.Context) {
	text, err := c.GetRawData()
	if err == nil && len(text) == 0 {
		err = rest.NewProblem(rest.TypeInvalid, "the body is empty: send the text of the code")
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	if c.Query("format") == "png" {
		b, err := provision.PNG(string(text))
		if err != nil {
			a.rest.Fail(c, err)
			return
		}
		c.Data(http.StatusOK, "image/png", b)
		return
	}
	s, err := provision.SVG(string(text))
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	c.Data(http.StatusOK, "image/svg+xml", []byte(s))
}

// privately reports as fleet.ErrForbidden that a key would be told to all on the
// network.
func privately(ctx context.Context) error {
	if !rest.Private(ctx) {
		return fmt.Errorf("%w: a key is told over HTTPS only", fleet.ErrForbidden)
	}
	return nil
}
