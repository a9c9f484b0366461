/* What a command line may change: transport, shared memory, folder of the sockets. */
#include "configs/config_draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_transport(struct config *c, enum can_transport transport) {
    for (uint32_t i = 0; i < c->interfaces; i++) {
        c->interface[i].transport = transport;
        memset(c->interface[i].address, 0, sizeof c->interface[i].address);
    }
}

static void set_unix(struct config *c, const char *folder, struct config_errors *errors) {
    set_transport(c, CAN_TRANSPORT_UNIX);
    for (uint32_t i = 0; i < c->interfaces; i++) {
        struct config_interface *f = &c->interface[i];
        size_t length = strlen(folder);
        if (length == 0 || length > CONFIG_SOCKET_FOLDER_MAX) {
            config_errors_add(errors, "--transport", folder,
                              "unix:FOLDER needs a folder name of 1 to %d bytes",
                              CONFIG_SOCKET_FOLDER_MAX);
            return;
        }
        memcpy(f->address, folder, length);
    }
}

static void set_udp(struct config *c, const char *address, struct config_errors *errors) {
    char host[64] = "", *end = NULL;
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : 0;
    if (length == 0 || length >= sizeof host || port < 1 || *end ||
        port + (long)c->interfaces - 1 > 65535) {
        config_errors_add(errors, "--transport", address,
                          "udp:HOST:BASEPORT needs a host and a port of 1 to %u (one port for each "
                          "interface)",
                          65536 - c->interfaces);
        return;
    }
    memcpy(host, address, length);
    set_transport(c, CAN_TRANSPORT_UDP);
    for (uint32_t i = 0; i < c->interfaces; i++) {
        snprintf(c->interface[i].address, sizeof c->interface[i].address, "%s:%ld", host,
                 port + (long)i);
    }
}

static void override_transport(struct config *c, const char *transport,
                               struct config_errors *errors) {
    if (strcmp(transport, "socketcan") == 0) {
        set_transport(c, CAN_TRANSPORT_SOCKETCAN);
    } else if (strncmp(transport, "unix:", 5) == 0) {
        set_unix(c, transport + 5, errors);
    } else if (strncmp(transport, "udp:", 4) == 0) {
        set_udp(c, transport + 4, errors);
    } else {
        config_errors_add(errors, "--transport", transport,
                          "must be socketcan, unix:FOLDER or udp:HOST:BASEPORT");
    }
}

/* Copies a text of the command line into a field when its rule accepts it. */
static void override_text(char *field, size_t size, const char *option, const char *text,
                          const char *wrong, struct config_errors *errors) {
    if (wrong) {
        config_errors_add(errors, option, text, "%s", wrong);
    } else {
        memset(field, 0, size);
        snprintf(field, size, "%s", text);
    }
}

int config_override(struct config *config, const char *transport, const char *shm_name,
                    const char *run_folder, struct config_errors *errors) {
    memset(errors, 0, sizeof *errors);
    struct config *c = malloc(sizeof *c);
    if (!c) {
        config_errors_add(errors, "", NULL, "there is not enough memory");
        return -ENOMEM;
    }
    *c = *config;
    if (transport) {
        override_transport(c, transport, errors);
    }
    if (shm_name) {
        override_text(c->rt.shm_name, sizeof c->rt.shm_name, "--shm", shm_name,
                      config_shm_name_wrong(shm_name), errors);
    }
    if (run_folder) {
        override_text(c->rt.run_folder, sizeof c->rt.run_folder, "--run-folder", run_folder,
                      config_run_folder_wrong(run_folder), errors);
    }
    if (errors->count == 0) {
        *config = *c;
    }
    free(c);
    return errors->count == 0 ? 0 : -EINVAL;
}
