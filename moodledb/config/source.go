package config

import "strings"

// databaseOf is where the settings of a database come from.
type databaseOf int

// The sources.
const (
	fromConfig databaseOf = iota // config.php
	fromMaster                   // vmaster*, of VMoodle's register
	fromRow                      // the tenant's row in the register, and vchilds*
)

// Settings names the settings that an operator changes for dbtype, dbhost, dbname, dbuser, dbpass or
// prefix of this database, and where they are.
func (c *Config) Settings(names ...string) string {
	var words []string
	for i, name := range names {
		word, place := c.setting(name)
		if i+1 < len(names) {
			if _, next := c.setting(names[i+1]); next == place {
				words = append(words, word)
				continue
			}
		}
		words = append(words, word+" in "+place)
	}
	return strings.Join(words, " and ")
}

// columns are those of table local_vmoodle, by the settings that a tenant has from there.
var columns = map[string]string{
	"wwwroot": "vhostname", "dataroot": "vdatapath", "dbtype": "vdbtype", "dbhost": "vdbhost", "dbname": "vdbname",
	"dbuser": "vdblogin", "dbpass": "vdbpass", "prefix": "vdbprefix",
}

func (c *Config) setting(name string) (word, place string) {
	const vconfig = "vconfig.php"
	ofVMoodle := strings.Replace(name, "dbuser", "dblogin", 1) // in vconfig.php
	switch c.source {
	case fromConfig:
		if _, given := c.options.Overrides[name]; given {
			return name, "--cfg"
		}
	case fromMaster:
		return "vmaster" + ofVMoodle, vconfig
	case fromRow:
		if r := c.Register; r != nil && (name == "dbuser" && r.TenantUser != "" || name == "dbpass" && r.TenantPass != "") {
			return "vchilds" + ofVMoodle, vconfig
		}
		return columns[name], "VMoodle's register"
	}
	return name, "config.php"
}
