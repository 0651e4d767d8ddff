-- The tables of a Moodle site that the renewal of its MNet key touches, empty, as Moodle 3.11 to 5.0 makes them on MySQL and MariaDB; internal/testbed translates them for PostgreSQL
-- (names and types: Moodle lib/db/install.xml and local/vmoodle/db/install.xml, mapped as its MySQL generator maps them).
-- {prefix} is replaced by the site's table prefix. Tables that are wider in Moodle have only the columns that matter here.

CREATE TABLE `{prefix}config` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  name VARCHAR(255) NOT NULL DEFAULT '',
  value LONGTEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY `{prefix}conf_nam_uix` (name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}config_plugins` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  plugin VARCHAR(100) NOT NULL DEFAULT 'core',
  name VARCHAR(100) NOT NULL DEFAULT '',
  value LONGTEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY `{prefix}confplug_plunam_uix` (plugin, name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}course` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  category BIGINT(10) NOT NULL DEFAULT 0,
  sortorder BIGINT(10) NOT NULL DEFAULT 0,
  fullname VARCHAR(254) NOT NULL DEFAULT '',
  shortname VARCHAR(255) NOT NULL DEFAULT '',
  format VARCHAR(21) NOT NULL DEFAULT 'topics',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_application` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  name VARCHAR(50) NOT NULL DEFAULT '',
  display_name VARCHAR(50) NOT NULL DEFAULT '',
  xmlrpc_server_url VARCHAR(255) NOT NULL DEFAULT '',
  sso_land_url VARCHAR(255) NOT NULL DEFAULT '',
  sso_jump_url VARCHAR(255) NOT NULL DEFAULT '',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_host` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  deleted TINYINT(1) NOT NULL DEFAULT 0,
  wwwroot VARCHAR(255) NOT NULL DEFAULT '',
  ip_address VARCHAR(45) NOT NULL DEFAULT '',
  name VARCHAR(80) NOT NULL DEFAULT '',
  public_key LONGTEXT NOT NULL,
  public_key_expires BIGINT(10) NOT NULL DEFAULT 0,
  transport TINYINT(2) NOT NULL DEFAULT 0,
  portno MEDIUMINT(5) NOT NULL DEFAULT 0,
  last_connect_time BIGINT(10) NOT NULL DEFAULT 0,
  last_log_id BIGINT(10) NOT NULL DEFAULT 0,
  force_theme TINYINT(1) NOT NULL DEFAULT 0,
  theme VARCHAR(100) DEFAULT NULL,
  applicationid BIGINT(10) NOT NULL DEFAULT 1,
  sslverification TINYINT(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY `{prefix}mnethost_app_ix` (applicationid)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_host2service` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  hostid BIGINT(10) NOT NULL DEFAULT 0,
  serviceid BIGINT(10) NOT NULL DEFAULT 0,
  publish TINYINT(1) NOT NULL DEFAULT 0,
  subscribe TINYINT(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY `{prefix}mnethost_hosser_uix` (hostid, serviceid)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_service` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  name VARCHAR(40) NOT NULL DEFAULT '',
  description VARCHAR(40) NOT NULL DEFAULT '',
  apiversion VARCHAR(10) NOT NULL DEFAULT '',
  offer TINYINT(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_session` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  userid BIGINT(10) NOT NULL DEFAULT 0,
  username VARCHAR(100) NOT NULL DEFAULT '',
  token VARCHAR(40) NOT NULL DEFAULT '',
  mnethostid BIGINT(10) NOT NULL DEFAULT 0,
  useragent VARCHAR(40) NOT NULL DEFAULT '',
  confirm_timeout BIGINT(10) NOT NULL DEFAULT 0,
  session_id VARCHAR(40) NOT NULL DEFAULT '',
  expires BIGINT(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY `{prefix}mnetsess_tok_uix` (token),
  KEY `{prefix}mnetsess_use_ix` (userid),
  KEY `{prefix}mnetsess_mne_ix` (mnethostid)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}mnet_log` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  hostid BIGINT(10) NOT NULL DEFAULT 0,
  remoteid BIGINT(10) NOT NULL DEFAULT 0,
  time BIGINT(10) NOT NULL DEFAULT 0,
  userid BIGINT(10) NOT NULL DEFAULT 0,
  course BIGINT(10) NOT NULL DEFAULT 0,
  action VARCHAR(40) NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  KEY `{prefix}mnetlog_hosusecou_ix` (hostid, userid, course)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}user` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  auth VARCHAR(20) NOT NULL DEFAULT 'manual',
  deleted TINYINT(1) NOT NULL DEFAULT 0,
  mnethostid BIGINT(10) NOT NULL DEFAULT 0,
  username VARCHAR(100) NOT NULL DEFAULT '',
  lastaccess BIGINT(10) NOT NULL DEFAULT 0,
  currentlogin BIGINT(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY `{prefix}user_mneuse_uix` (mnethostid, username),
  KEY `{prefix}user_del_ix` (deleted)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE `{prefix}local_vmoodle` (
  id BIGINT(10) NOT NULL AUTO_INCREMENT,
  name VARCHAR(255) DEFAULT NULL,
  shortname VARCHAR(80) DEFAULT NULL,
  description LONGTEXT,
  vhostname VARCHAR(255) DEFAULT NULL,
  vdbtype VARCHAR(16) NOT NULL DEFAULT 'mysqli',
  vdbhost VARCHAR(80) NOT NULL DEFAULT 'localhost',
  vdblogin VARCHAR(16) NOT NULL DEFAULT 'root',
  vdbpass VARCHAR(32) DEFAULT NULL,
  vdbname VARCHAR(64) DEFAULT NULL,
  vdbprefix VARCHAR(10) NOT NULL DEFAULT 'mdl_',
  vdbpersist TINYINT(1) NOT NULL DEFAULT 0,
  vdatapath VARCHAR(255) DEFAULT NULL,
  mnet SMALLINT(3) NOT NULL DEFAULT 0,
  enabled TINYINT(1) NOT NULL DEFAULT 1,
  timecreated BIGINT(10) NOT NULL DEFAULT 0,
  lastcron BIGINT(11) NOT NULL DEFAULT 0,
  lastcrongap BIGINT(11) NOT NULL DEFAULT 0,
  croncount BIGINT(11) NOT NULL DEFAULT 0,
  metadata LONGTEXT,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
