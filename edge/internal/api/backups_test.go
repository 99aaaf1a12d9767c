package api

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/rest"
)

// waited is an answer that notes when its writes have to be done.
type waited struct {
	*httptest.ResponseRecorder
	within []time.Duration
}

func (w *waited) SetWriteDeadline(at time.Time) error {
	w.within = append(w.within, time.Until(at))
	return nil
}

// Without a deadline whoever does not read would hold the backup for ever.
func TestDownloadBackup_GivesUpAClientThatDoesNotRead(t *testing.T) {
	dir, name := t.TempDir(), "yacht-1-20260501T080000.000Z.tar.zst"
	want := bytes.Repeat([]byte("backup"), 20_000)
	if err := os.Mkdir(filepath.Join(dir, backup.Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, backup.Dir, name), want, 0o600); err != nil {
		t.Fatal(err)
	}
	told := 0
	a := &API{Config: Config{
		Backups: backup.NewKeeper(backup.KeeperConfig{Source: backup.Source{Dir: dir}}),
		Security: security.New(security.Config{Write: func(_ context.Context, e []security.Entry) error {
			told += len(e)
			return nil
		}}),
	}}
	out := &waited{ResponseRecorder: httptest.NewRecorder()}
	c, _ := gin.CreateTestContext(out)
	c.Request = httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/backups/"+name, nil)
	c.Params = gin.Params{{Key: "name", Value: name}}
	a.downloadBackup(c)
	if !bytes.Equal(out.Body.Bytes(), want) {
		t.Errorf("%d bytes came, want %d", out.Body.Len(), len(want))
	}
	if told != 1 {
		t.Errorf("the audit was told %d times", told)
	}
	if len(out.within) < 2 || out.within[0] <= 0 || out.within[0] > rest.WriteWithin {
		t.Errorf("deadlines of the writes: %v, want one each of at most %v", out.within, rest.WriteWithin)
	}
}
