package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// backupInput says how a backup is to be encrypted.
type backupInput struct {
	Passphrase string   `json:"passphrase,omitempty" maxLength:"1024" doc:"Encrypt under this passphrase."`
	Recipients []string `json:"recipients,omitempty" maxItems:"16" doc:"Encrypt for these age public keys (age1…)."`
	Plain      bool     `json:"plain,omitempty" doc:"Do not encrypt. The backup holds keys and password verifiers."`
	// WithTraffic can make it many times as large.
	WithTraffic bool `json:"with_traffic,omitempty" doc:"Add the record of messages and its summaries."`
}

func (i backupInput) lock() backup.Lock {
	return backup.Lock{Passphrase: i.Passphrase, Recipients: i.Recipients, Plain: i.Plain}
}

// madeBackup is a backup with what it is of.
type madeBackup struct {
	backup.Kept
	Manifest backup.Manifest `json:"manifest"`
}

type madeBackupOutput struct {
	Location string `header:"Location"`
	Body     madeBackup
}

type backupsOutput struct {
	Body rest.Page[backup.Kept]
}

// backupPath is the path of one kept backup.
type backupPath struct {
	Name string `path:"name" maxLength:"200" doc:"As the list names it."`
}

func (a *API) backupRoutes() {
	tags := []string{"backups"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-backups", Method: http.MethodGet, Path: "/api/v1/backups", Permission: account.BackupsWrite,
		Summary: "The backups that the hub keeps itself, the newest first", Tags: tags,
	}, func(context.Context, *struct{}) (*backupsOutput, error) {
		if err := a.noBackups(); err != nil {
			return nil, err
		}
		all, err := a.Backups.List()
		return &backupsOutput{rest.PageOf(all, len(all), func(k backup.Kept) any { return k.Name })}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "make-backup", Method: http.MethodPost, Path: "/api/v1/backups", Permission: account.BackupsWrite,
		Status: http.StatusCreated, Summary: "Make a backup and keep it on the hub", Tags: tags, Slow: true, Errors: []int{http.StatusInsufficientStorage},
		Description: "Everything goes on meanwhile. Without passphrase, recipients or plain it is encrypted for the hub's " +
			"--backup-recipient. The oldest goes when there are more than --backups-keep.",
	}, func(ctx context.Context, in *struct {
		Body backupInput `nameHint:"NewBackup"`
	}) (*madeBackupOutput, error) {
		if err := a.roomForBackup(disk.HistoryStops); err != nil {
			return nil, err
		}
		kept, m, err := a.Backups.Make(ctx, in.Body.lock(), a.more(in.Body)...)
		if err != nil {
			return nil, err
		}
		a.record(ctx, security.BackupMade, kept.Name, map[string]string{
			"bytes": strconv.FormatInt(kept.Bytes, 10), "encrypted": strconv.FormatBool(kept.Encrypted), "with_traffic": strconv.FormatBool(in.Body.WithTraffic),
		})
		a.Logger.Info("backup was made", "name", kept.Name, "bytes", kept.Bytes, "encrypted", kept.Encrypted)
		return &madeBackupOutput{"/api/v1/backups/" + kept.Name, madeBackup{kept, m}}, nil
	})
	a.rest.Raw(rest.Route{
		OperationID: "stream-backup", Method: http.MethodPost, Path: "/api/v1/backups/stream", Permission: account.BackupsWrite,
		Summary: "Make a backup as the answer, without keeping it", Tags: tags, Stream: true, Errors: []int{http.StatusInsufficientStorage},
		Consumes: []string{"application/json"}, Produces: "application/octet-stream",
		Description: "The body is as for make-backup. An answer that ends early is no backup: its end is missing.",
	}, a.streamBackup)
	a.rest.Raw(rest.Route{
		OperationID: "get-backup", Method: http.MethodGet, Path: "/api/v1/backups/{name}", Permission: account.BackupsWrite,
		Summary: "Download a kept backup", Tags: tags, Stream: true, Produces: "application/octet-stream",
	}, a.downloadBackup)
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-backup", Method: http.MethodDelete, Path: "/api/v1/backups/{name}", Permission: account.BackupsWrite,
		Summary: "Remove a kept backup", Tags: tags,
	}, func(ctx context.Context, in *backupPath) (*struct{}, error) {
		if err := a.noBackups(); err != nil {
			return nil, err
		}
		if err := a.Backups.Remove(in.Name); err != nil {
			return nil, err
		}
		a.record(ctx, security.BackupRemoved, in.Name, nil)
		return nil, nil
	})
}

// more are the stores that a backup is to hold beside the hub's own.
func (a *API) more(in backupInput) []backup.Store {
	if !in.WithTraffic {
		return nil
	}
	return []backup.Store{a.Traffic}
}

// noBackups says why this hub makes none.
func (a *API) noBackups() error {
	if a.Backups == nil {
		return fmt.Errorf("%w: a hub in memory makes no backups", fleet.ErrUnavailable)
	}
	return nil
}

// roomForBackup refuses a backup on a disk that is at the given level or worse.
func (a *API) roomForBackup(at disk.Level) error {
	if err := a.noBackups(); err != nil {
		return err
	}
	if level := a.Disk.Level(); level >= at {
		return fmt.Errorf("%w: its level is %s: no backup is made", fleet.ErrFull, level)
	}
	return nil
}

func (a *API) streamBackup(c *gin.Context) {
	var in backupInput
	dec := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		a.rest.Fail(c, fmt.Errorf("%w: body: %w", rest.ErrSyntax, err))
		return
	}
	// The copy takes little room, as it is made of links.
	err := a.roomForBackup(disk.HardStop)
	if err == nil {
		err = a.Backups.Check(in.lock())
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	ctx, leave, err := a.rest.EnterStream(c.Request.Context(), maxExports, ownMaxExports)
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	defer leave()
	c.Header("Content-Type", "application/octet-stream")
	a.record(ctx, security.BackupStreamed, "", map[string]string{
		"plain": strconv.FormatBool(in.Plain), "with_traffic": strconv.FormatBool(in.WithTraffic),
	})
	if _, err := a.Backups.Stream(ctx, rest.DeadlineWriter(c.Writer), in.lock(), a.more(in)...); err != nil {
		a.rest.BreakOff(c, slog.LevelWarn, "backup was not streamed to its end", err)
		return
	}
	a.Logger.Info("backup was streamed")
	a.BackupLeft(context.WithoutCancel(ctx))
}

func (a *API) downloadBackup(c *gin.Context) {
	if err := a.noBackups(); err != nil {
		a.rest.Fail(c, err)
		return
	}
	f, kept, err := a.Backups.Open(c.Param("name"))
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	defer func() {
		if err := f.Close(); err != nil {
			a.Logger.Warn("backup was not closed", "error", err)
		}
	}()
	a.record(c.Request.Context(), security.BackupDownloaded, kept.Name, map[string]string{"encrypted": strconv.FormatBool(kept.Encrypted)})
	c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q", kept.Name))
	c.Header("Content-Type", "application/octet-stream")
	http.ServeContent(rest.DeadlineWriter(c.Writer), c.Request, kept.Name, kept.CreatedAt, f)
}
