/* What shm_rt.c and shm_peer.c share. Not for others. */
#ifndef RINGMAIN_SHM_SHM_PRIVATE_H
#define RINGMAIN_SHM_SHM_PRIVATE_H

#include "shm/shm.h"

#define SHM_BELL_NAME_MAX (SHM_NAME_MAX + 4) /* "-evt", "-cmd" */

/* Byte of the file that says by its lock who is alive. */
enum shm_lock { SHM_LOCK_RT = 0, SHM_LOCK_NRT = 1 };

bool shm_name_ok(const char *name);
void shm_bell_name(char out[SHM_BELL_NAME_MAX], const char *name, const char *suffix);
/* Non-blocking, held as long as the file is open, freed by the kernel with its process. 0 or -EBUSY or -errno. */
int shm_take_lock(int file, enum shm_lock lock);
/* What kind of file this is, without mapping it. Errors as shm_attach(), and -EAGAIN for one without its magic. */
int shm_inspect(int file);

/* Tag of the latches' copies; a slot's sessions are tagged with the slot's index. */
#define SHM_LATCHES_TAG UINT64_C(0x4c41544348)

/* Copies and checks a retained region. Errors as retained_read(), -EPROTO counts or length out of range. */
int shm_sessions_copy(const struct shm_segment *segment, uint32_t slot, struct session_slot *out,
                      uint64_t *generation);
int shm_latches_copy(const struct shm_segment *segment, struct shm_latches *out);

#endif
