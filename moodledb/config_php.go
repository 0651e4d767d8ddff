package moodledb

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/moodledb/phpsource"
)

// evaluateLimit bounds php, which takes some 30 ms.
const evaluateLimit = 10 * time.Second

//go:embed config_evaluate.php
var evaluateScript string

// evaluate has php run config.php with a stand-in for lib/setup.php, so that nothing of Moodle is loaded. The script and the tenant's values, which hold
// a password, go to stdin; what $CFG is then comes back as PHP source over a pipe of its own and is read as any other. before is what our reader read;
// it may be nil. Errors never show what php said: it quotes the file.
func evaluate(ctx context.Context, path string, o ReadOptions, tenant map[string]string, before *settings) (*settings, error) {
	answer, err := phprun.Script{
		PHP:      o.PHP,
		Settings: []string{"opcache.enable_cli=0", "auto_prepend_file=", "auto_append_file="},
		Source:   "<?php $mnetkeys_tenant = " + phpArray(tenant) + "; ?>" + evaluateScript,
		Config:   path,
		Dataroot: dataroot(o, tenant, before),
		Environ:  o.Environ,
		Limit:    evaluateLimit,
	}.Run(ctx)
	if err != nil {
		return nil, err
	}
	a, err := phpsource.Parse(path, answer, phpsource.Env{Fixed: o.Overrides})
	if err != nil {
		return nil, errors.New("its answer cannot be read")
	}
	if failed := a.Variable("failed"); failed.Kind() == phpsource.Array && a.Variable("CFG").Get("dbtype").Kind() == phpsource.Null {
		return nil, fmt.Errorf("it ends with an error at %s:%d", failed.Get("file").Text(), failed.Get("line").Int())
	}
	s := &settings{file: path, dir: filepath.Dir(path), cfg: a.Variable("CFG")}
	if before != nil {
		s.dir, s.places, s.fixed = before.dir, before.places, before.fixed
	}
	return s, nil
}

// dataroot is that of the site before php has been asked, "" when only php could tell: its owner is who root has evaluate the file.
func dataroot(o ReadOptions, tenant map[string]string, before *settings) string {
	if dir := cmp.Or(tenant["dataroot"], o.Overrides["dataroot"]); dir != "" || before == nil {
		return dir
	}
	if v := before.cfg.Get("dataroot"); v.Kind() != phpsource.Unevaluated {
		return v.Text()
	}
	return ""
}

// phpArray writes PHP source.
func phpArray(values map[string]string) string {
	var b strings.Builder
	b.WriteString("array(")
	for name, text := range values {
		fmt.Fprintf(&b, "%s => %s, ", phpString(name), phpString(text))
	}
	return b.String() + ")"
}

func phpString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
