package rest

import (
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// The forms of an answer that a raw handler may have.
const (
	MediaJSON   = "application/json"
	MediaCSV    = "text/csv"
	MediaNDJSON = "application/x-ndjson"
)

// mediaNames are the words of ?format=.
var mediaNames = map[string]string{"json": MediaJSON, "csv": MediaCSV, "ndjson": MediaNDJSON}

// WrongQuery is the problem of a query parameter.
func WrongQuery(name, message string) error {
	return NewProblem(TypeInvalid, name+": "+message, FieldError{Location: "query." + name, Message: message})
}

// QueryFormat reads ?format= (json, csv or ndjson), else the header Accept, and
// returns one of the offered media types: the first of them when the client
// names none.
func QueryFormat(c *gin.Context, offered ...string) (string, error) {
	if word := c.Query("format"); word != "" {
		if media := mediaNames[word]; media != "" && slices.Contains(offered, media) {
			return media, nil
		}
		var words []string
		for _, w := range []string{"json", "csv", "ndjson"} {
			if slices.Contains(offered, mediaNames[w]) {
				words = append(words, w)
			}
		}
		return "", WrongQuery("format", "want one of "+strings.Join(words, ", "))
	}
	for part := range strings.SplitSeq(c.GetHeader("Accept"), ",") {
		if media, _, err := mime.ParseMediaType(part); err == nil && slices.Contains(offered, media) {
			return media, nil
		}
	}
	return offered[0], nil
}

// QueryTime reads a time; zero when there is none.
func QueryTime(c *gin.Context, name string) (time.Time, error) {
	s := c.Query(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, WrongQuery(name, "want a time as of RFC 3339")
	}
	return t, nil
}

// QueryNumber reads a number from 1 to most; 0 when there is none.
func QueryNumber(c *gin.Context, name string, most int) (int, error) {
	s := c.Query(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, WrongQuery(name, fmt.Sprintf("want 1 to %d", most))
	}
	return n, nil
}
