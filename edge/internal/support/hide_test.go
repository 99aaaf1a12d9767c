package support

import "testing"

func TestScrub_RemovesWhatLooksLikeASecretAndNothingElse(t *testing.T) {
	for in, want := range map[string]string{
		"dial https://u:pw@host/x":          "dial https://[removed]@host/x",
		"Authorization: Bearer abc.def":     "Authorization: Bearer [removed]",
		`{"password":"a b","level":"ok"}`:   `{"password":[removed],"level":"ok"}`,
		"key AGE-SECRET-KEY-1QQQ end":       "key [removed] end",
		"https://console.example:8444/path": "https://console.example:8444/path",
		"3 tokens were made":                "3 tokens were made",
	} {
		if got := string(scrub([]byte(in))); got != want {
			t.Errorf("%s\nis %s\nwant %s", in, got, want)
		}
	}
}
