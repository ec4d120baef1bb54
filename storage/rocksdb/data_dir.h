/*
 * What stands in a server's data directory.
 *
 * Floor 1. For the composition root, and for programs that work on a directory that no server has
 * open.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_DATA_DIR_H_
#define ANNALS_STORAGE_ROCKSDB_DATA_DIR_H_

/* The store's own directory: what annals_rocksdb_open opens. */
#define ANNALS_DATA_DIR_STORE "rocksdb"

/* The key of page tokens, if the server made it. */
#define ANNALS_DATA_DIR_TOKEN_KEY "page-token.key"

/* The file whose room is given back when there is none left. */
#define ANNALS_DATA_DIR_BALLAST "ballast"

/* Is there as long as a restore has not ended: the rest is not whole then. */
#define ANNALS_DATA_DIR_RESTORING "restoring"

#endif
