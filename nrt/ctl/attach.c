/* Looking into shared memory, read-only. */
#include <errno.h>

#include "nrt/ctl/ctl.h"

enum ctl_exit ctl_exit_of(int shm_error) {
    switch (shm_error) {
    case 0: return CTL_OK;
    case -EPROTONOSUPPORT:
    case -EBADMSG:
    case -EPROTO: return CTL_INCOMPATIBLE;
    case -EINVAL: return CTL_USAGE;
    default: return CTL_UNREACHABLE;
    }
}

enum ctl_exit ctl_attach(const struct ctl *ctl, struct shm_peer *peer) {
    int code = shm_attach(peer, ctl->shm_name, SHM_READ);
    if (code != 0) {
        ctl_say("%s: %s", ctl->shm_name, shm_error_text(code));
    }
    return ctl_exit_of(code);
}
