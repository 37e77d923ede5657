package conf

import (
	"math"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
)

// rule is one validator of a key. check gives "" or the text of the problem; field is the name Storm's texts use.
// Null is fine for every rule but not-null and pacemaker-auth.
type rule struct {
	name     string
	accepted []string
	check    func(field string, v any, accepted []string) string
}

// rules are Storm's validators (ConfigValidation.java, DaemonConfigValidation.java) by our names for them. A class is
// only held to be text: its Java interface cannot be looked at here.
var rules = map[string]rule{
	"bool":              {check: ofType("java.lang.Boolean", isBool)},
	"int":               {check: whole("an Integer", math.MinInt32, math.MaxInt32)},
	"long":              {check: whole("an Long", math.MinInt64, math.MaxInt64)},
	"number":            {check: ofType("java.lang.Number", isNumber)},
	"positive":          {check: positive(false)},
	"not-negative":      {check: positive(true)},
	"bool-or-positive":  {check: boolOrPositive},
	"string":            {check: ofType("java.lang.String", isString)},
	"absolute-path":     {check: absolutePath},
	"class":             {check: ofType("java.lang.String", isString)},
	"one-of":            {check: oneOf},
	"not-null":          {check: notNull},
	"strings":           {check: listOf("java.lang.String", isString)},
	"string-or-strings": {check: stringOrStrings},
	"map":               {check: ofType("java.util.Map", isMap)},
	"map-of-strings":    {check: mapOf("java.lang.String", isString)},
	"map-of-numbers":    {check: mapOf("java.lang.Number", isNumber)},
	"no-duplicates":     {check: noDuplicates},
	"kryo":              {check: kryo},
	"ports":             {check: entries(whole("an Integer", math.MinInt32, math.MaxInt32), positive(false))},
	"metrics-consumers": {check: entries(mapWith("class", "parallelism.hint"))},
	"event-loggers":     {check: entries(mapWith("class"))},
	"cluster-metrics":   {check: entries(mapWith("class"))},
	"reporters":         {check: entries(mapWith("class"))},
	"blob-map":          {check: blobMap},
	"pacemaker-auth":    {check: pacemakerAuth},
	"ras-constraints":   {check: rasConstraints},
	"user-pools":        {check: mapEntries(mapWith("cpu", "memory"))},
	"impersonation":     {check: mapEntries(mapWith("hosts", "groups"))},
	"numa":              {check: mapEntries(mapWith("numa.cores", "numa.memory.mb", "numa.ports"))},
}

type checker = func(field string, v any, accepted []string) string

func isBool(v any) bool   { _, ok := v.(bool); return ok }
func isString(v any) bool { _, ok := v.(string); return ok }
func isMap(v any) bool    { _, ok := v.(map[string]any); return ok }
func isNumber(v any) bool {
	switch v.(type) {
	case int, int32, int64, float64, *big.Int:
		return true
	}
	return false
}

// boolOrPositive is a rule of keys of ours.
func boolOrPositive(field string, v any, _ []string) string {
	if isBool(v) {
		return ""
	}
	return positive(false)(field, v, nil)
}

func ofType(class string, is func(any) bool) checker {
	return func(field string, v any, _ []string) string {
		if v == nil || is(v) {
			return ""
		}
		kind := "class "
		if class == "java.util.Map" {
			kind = "interface "
		}
		return "Field " + field + " must be of type " + kind + class + ". Object: " + short(javaText(v)) +
			" actual type: class " + javaClass(v)
	}
}

func whole(article string, low, high int64) checker {
	return func(field string, v any, _ []string) string {
		if v == nil {
			return ""
		}
		if n, ok := toInt(v); ok && isNumber(v) && n >= low && n <= high {
			return ""
		}
		return "Field " + field + " must be " + article + " within type range."
	}
}

func positive(orZero bool) checker {
	return func(field string, v any, _ []string) string {
		if v == nil {
			return ""
		}
		if f, ok := toFloat(v); ok && isNumber(v) && (f > 0 || orZero && f == 0) {
			return ""
		}
		return "Field " + field + " must be a Positive Number"
	}
}

func notNull(field string, v any, _ []string) string {
	if v != nil {
		return ""
	}
	return "Field " + field + " cannot be null! Actual value: null"
}

func oneOf(field string, v any, accepted []string) string {
	if text := ofType("java.lang.String", isString)(field, v, nil); text != "" {
		return text
	}
	if s, ok := v.(string); ok && slices.Contains(accepted, s) {
		return ""
	}
	return "Field " + field + " is not an accepted value. Value: " + short(javaText(v)) +
		" Accepted values: [" + strings.Join(accepted, ", ") + "]"
}

func listOf(class string, is func(any) bool) checker {
	return func(field string, v any, _ []string) string {
		if v == nil {
			return ""
		}
		list, ok := v.([]any)
		if !ok {
			return "Field " + field + " must be an Iterable but was a class " + javaClass(v)
		}
		for _, e := range list {
			if e != nil && !is(e) {
				return "Each element of the list " + field + " must be a " + class + ". (" + short(javaText(e)) + ")"
			}
		}
		return ""
	}
}

func stringOrStrings(field string, v any, _ []string) string {
	if isString(v) {
		return ""
	}
	return listOf("java.lang.String", isString)(field, v, nil)
}

func mapOf(class string, is func(any) bool) checker {
	return func(field string, v any, _ []string) string {
		if v == nil {
			return ""
		}
		m, ok := v.(map[string]any)
		if !ok {
			return "Field " + field + " must be a Map"
		}
		for _, k := range sortedKeys(m) {
			if m[k] != nil && !is(m[k]) {
				return "Each value in the map " + field + " must be a " + class + ". (" + short(javaText(m[k])) + ")"
			}
		}
		return ""
	}
}

// absolutePath is ours: what a relative one is relative to would depend on the node.
func absolutePath(field string, v any, _ []string) string {
	if v == nil {
		return ""
	}
	if path, ok := v.(string); !ok || path != "" && !filepath.IsAbs(path) {
		return "Field " + field + " must be an absolute path. Object: " + short(javaText(v))
	}
	return ""
}

func noDuplicates(field string, v any, _ []string) string {
	list, ok := v.([]any)
	if !ok {
		return ofType("java.lang.Iterable", func(any) bool { return false })(field, v, nil)
	}
	seen := map[string]bool{}
	for _, e := range list {
		text := javaText(e)
		if seen[text] {
			return field + " should contain no duplicate elements. Duplicated element: " + short(text)
		}
		seen[text] = true
	}
	return ""
}

func kryo(field string, v any, _ []string) string {
	if v == nil {
		return ""
	}
	list, ok := v.([]any)
	if !ok {
		return "Field " + field + " must be an Iterable containing only Strings or Maps of Strings"
	}
	for _, e := range list {
		if isString(e) {
			continue
		}
		m, ok := e.(map[string]any)
		for _, x := range m {
			ok = ok && isString(x)
		}
		if !ok {
			return "Each element of the list " + field + " must be a String or a Map of Strings"
		}
	}
	return ""
}

// entries applies checks to each entry of a list.
func entries(checks ...checker) checker {
	return func(field string, v any, _ []string) string {
		list, ok := v.([]any)
		if v != nil && !ok {
			return ofType("java.lang.Iterable", func(any) bool { return false })(field, v, nil)
		}
		for _, e := range list {
			for _, check := range checks {
				if text := check(field+" list entry", e, nil); text != "" {
					return text
				}
			}
		}
		return ""
	}
}

// mapEntries applies a check to each value of a map.
func mapEntries(check checker) checker {
	return func(field string, v any, _ []string) string {
		m, ok := v.(map[string]any)
		if v != nil && !ok {
			return ofType("java.util.Map", isMap)(field, v, nil)
		}
		for _, k := range sortedKeys(m) {
			if text := check(field+" Map value", m[k], nil); text != "" {
				return text
			}
		}
		return ""
	}
}

// mapWith asks for a map that has certain keys. The value of "class" must be text, that of "parallelism.hint" an int.
func mapWith(keys ...string) checker {
	return func(field string, v any, _ []string) string {
		if v == nil {
			return ""
		}
		m, ok := v.(map[string]any)
		if !ok {
			return ofType("java.util.Map", isMap)(field, v, nil)
		}
		for _, k := range keys {
			x, has := m[k]
			if !has {
				return "Field " + field + " must have map entry with key: " + k
			}
			var text string
			switch k {
			case "class":
				text = ofType("java.lang.String", isString)(field, x, nil)
			case "parallelism.hint":
				text = whole("an Integer", math.MinInt32, math.MaxInt32)(field, x, nil)
			}
			if text != "" {
				return text
			}
		}
		return ""
	}
}

func blobMap(field string, v any, _ []string) string {
	if v == nil {
		return "Field " + field + " must not be null"
	}
	m, ok := v.(map[string]any)
	if !ok {
		return "Field " + field + " must be a Map"
	}
	for _, k := range sortedKeys(m) {
		switch m[k].(type) {
		case map[string]any:
		case nil:
			return "Field " + field + " must not be null"
		default:
			return "Field " + field + " must be a Map"
		}
	}
	return ""
}

func pacemakerAuth(field string, v any, _ []string) string {
	switch v {
	case "NONE", "DIGEST", "KERBEROS":
		return ""
	case nil:
		return "Field " + field + " must be set."
	}
	return "Field " + field + ` must be one of "NONE", "DIGEST", or "KERBEROS"`
}

// rasConstraints takes the two forms of topology.ras.constraints: a list of lists of component names, or a map
// component -> {maxNodeCoLocationCnt: n, incompatibleComponents: name or names}.
func rasConstraints(field string, v any, _ []string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		for _, e := range v {
			if e == nil || listOf("java.lang.String", isString)(field, e, nil) != "" {
				return "Field " + field + " must be an Iterable containing only List of List of Strings"
			}
		}
		return ""
	case map[string]any:
		for _, component := range sortedKeys(v) {
			if text := rasConstraint(field, component, v[component]); text != "" {
				return text
			}
		}
		return ""
	}
	return "Field " + field + " must be an Iterable containing only Map of Maps"
}

func rasConstraint(field, component string, v any) string {
	const count, incompatible = "maxNodeCoLocationCnt", "incompatibleComponents"
	at := "Field " + field + ", component " + component
	m, ok := v.(map[string]any)
	if !ok {
		return at + `, expecting constraints Map with keys ["` + count + `", "` + incompatible + `"], in "` + short(javaText(v)) + `"`
	}
	for _, kind := range sortedKeys(m) {
		switch kind {
		case count:
			if _, ok := toInt(m[kind]); !ok {
				return at + ", constraint " + kind + ` should be a number, not "` + short(javaText(m[kind])) + `"`
			}
		case incompatible:
			if m[kind] != nil && stringOrStrings(field, m[kind], nil) != "" {
				return at + ", constraintType \"" + kind + "\", expecting incompatible component-name, found value \"" + short(javaText(m[kind])) + `"`
			}
		default:
			return at + `, has unsupported constraintType "` + kind + `", expecting one of ["` + count + `", "` + incompatible + `"]`
		}
	}
	return ""
}
