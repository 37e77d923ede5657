package stores

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOpenDirectory(t *testing.T) {
	s, err := Open(t.Context(), "file://"+t.TempDir()+"/new")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}

// What a URL and secrets say is seen in the first request that is made.
func TestOpenAsksWhere(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.Host + r.URL.Path + " " + r.URL.Query().Get("op") + r.URL.Query().Get("user.name") + r.URL.Query().Get("delegation") + r.Header.Get("If-None-Match")
		if key, _, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/"); ok {
			got += " " + key
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	given := SecretsOf(map[string]string{S3AccessKey: "key", S3SecretKey: "s", DelegationToken: "token", "other": "x"})
	for at, want := range map[string]string{
		"s3://bucket/a/b?region=eu-1&endpoint=http%3A%2F%2F" + host: "PUT " + host + "/bucket/a/b/.conditional-put * key",
		"webhdfs://" + host + "/x/y":                                "PUT " + host + "/webhdfs/v1/x/y/.tmp MKDIRStoken",
		"webhdfs://127.0.0.1:1/x/y?standby=" + host:                 "PUT " + host + "/webhdfs/v1/x/y/.tmp MKDIRStoken",
	} {
		got = ""
		if _, err := OpenWith(t.Context(), at, func() Secrets { return given }); err == nil {
			t.Errorf("%s opens", at)
		}
		if got != want {
			t.Errorf("%s asks %q, want %q", at, got, want)
		}
	}
	if _, err := Open(t.Context(), "webhdfs://storm@"+host+"/x"); err == nil || !strings.HasSuffix(got, "MKDIRSstorm") {
		t.Errorf("with a user it asks %q, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "/tmp/x", "file:", "file:relative", "file://host/path", "file:///x?y=1", "ftp://host/x", "file://u:p@/x", "::", "file:///x\x00", "file:///x#y",
		"s3://", "s3:///x", "s3://bucket/x?secret=y", "s3://key:secret@bucket/x", "s3://key@bucket/x", "s3://bucket:80/x", "s3://bucket/x?endpoint=host:1",
		"s3://bucket/a b", "webhdfs://host/x", "webhdfs://:1/x", "webhdfs://127.0.0.1:1/", "webhdfs://127.0.0.1:1/x?a=b", "webhdfs://u:PASSWORD@127.0.0.1:1/x",
		"s3://k:PASSWORD@b\x7f",
	} {
		s, err := Open(t.Context(), bad)
		if err == nil {
			s.Close()
			t.Errorf("%q opens", bad)
		} else if strings.Contains(err.Error(), "PASSWORD") {
			t.Errorf("%q tells the password: %v", bad, err)
		}
	}
}
