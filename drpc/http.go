package drpc

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Time that a caller over HTTP has for sending and for taking, beside the time of the request itself.
const (
	httpHeaderTime = 10 * time.Second
	httpBodyTime   = 30 * time.Second
	httpWriteTime  = time.Minute
	httpIdleTime   = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// web serves functions as Storm's DRPC server does: GET /drpc/FUNCTION/ARGS, GET /drpc/FUNCTION and POST /drpc/FUNCTION with
// the arguments as body. The answer is the result as plain text, or a JSON object with error and errorMessage.
type web struct {
	book    *book
	maxArgs int
}

func (h *web) server() *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: httpHeaderTime, IdleTimeout: httpIdleTime, MaxHeaderBytes: maxHeaderBytes,
	}
}

// ServeHTTP implements http.Handler.
func (h *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadlines := http.NewResponseController(w)
	deadlines.SetWriteDeadline(time.Time{}) // that of the connection's last answer
	function, args, withArgs, ok := splitPath(r.URL)
	status := 0
	var problem string
	switch {
	case !ok:
		status, problem = http.StatusNotFound, "Functions are at /drpc/FUNCTION/ARGS, or /drpc/FUNCTION with the arguments as body of a POST"
	case r.Method == http.MethodGet, r.Method == http.MethodPost && !withArgs:
		deadlines.SetReadDeadline(time.Now().Add(httpBodyTime))
		var body string
		body, status, problem = h.body(w, r) // read in any case: only then is the caller's leaving noticed
		deadlines.SetReadDeadline(time.Time{})
		if r.Method == http.MethodPost {
			args = body
		}
	default:
		w.Header().Set("Allow", "GET, POST")
		status, problem = http.StatusMethodNotAllowed, r.Method+" is not served here"
	}
	if status != 0 {
		deadlines.SetWriteDeadline(time.Now().Add(httpWriteTime))
		writeError(w, status, "Bad Request", problem)
		return
	}
	result, err := h.book.execute(r.Context(), function, args)
	if r.Context().Err() != nil && err != nil {
		return // nobody listens
	}
	deadlines.SetWriteDeadline(time.Now().Add(httpWriteTime))
	if err != nil {
		writeFailure(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	io.WriteString(w, result)
}

// splitPath finds function and arguments in /drpc/FUNCTION/ARGS. It reads the path as it was sent: arguments may hold what
// would be cleaned away otherwise, such as "//".
func splitPath(u *url.URL) (function, args string, withArgs, ok bool) {
	rest, found := strings.CutPrefix(u.EscapedPath(), "/drpc/")
	if !found {
		return "", "", false, false
	}
	function, args, withArgs = strings.Cut(rest, "/")
	var err1, err2 error
	function, err1 = url.PathUnescape(function)
	args, err2 = url.PathUnescape(args)
	return function, args, withArgs, function != "" && err1 == nil && err2 == nil
}

// body reads the body of a request. The status is 0 if it could be read.
func (h *web) body(w http.ResponseWriter, r *http.Request) (args string, status int, problem string) {
	in := &metered{r: http.MaxBytesReader(w, r.Body, int64(h.maxArgs)), budget: &h.book.bytes}
	defer in.given() // what was read is counted anew by execute
	text, err := io.ReadAll(in)
	if err == nil {
		return string(text), 0, ""
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", http.StatusRequestEntityTooLarge, "The arguments are longer than drpc.max_buffer_size allows"
	}
	if errors.Is(err, errNoBudget) {
		w.Header().Set("Retry-After", "1")
		return "", http.StatusServiceUnavailable, errBusy.Msg
	}
	return "", http.StatusBadRequest, "The body could not be read"
}

// writeFailure answers as Storm's DRPCExceptionMapper.
func writeFailure(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = newFailure(stormrpc.DRPCExceptionType_INTERNAL_ERROR, err.Error())
	}
	kind, status := "Internal Error", http.StatusInternalServerError
	if f.Type != nil {
		kind = f.Type.String()
		switch *f.Type {
		case stormrpc.DRPCExceptionType_FAILED_REQUEST:
			status = http.StatusBadRequest
		case stormrpc.DRPCExceptionType_SERVER_SHUTDOWN:
			status = http.StatusServiceUnavailable
		case stormrpc.DRPCExceptionType_SERVER_TIMEOUT:
			status = http.StatusGatewayTimeout
		}
	}
	if f == errBusy {
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	}
	writeError(w, status, kind, f.Msg)
}

func writeError(w http.ResponseWriter, status int, kind, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": kind, "errorMessage": text})
}
