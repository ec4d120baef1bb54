#include "client/offline/offline.h"

#include "client/offline/restore.h"
#include "client/offline/verify.h"

const struct annals_cli_command annals_offline_commands[] = {
    {"restore", "Restore a backup into a data directory", annals_restore_command_run},
    {"verify", "Check what is stored, and repair it", annals_verify_command_run},
    {NULL, NULL, NULL},
};
