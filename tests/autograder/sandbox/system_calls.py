"""System calls for the tests: what must never be allowed, and arguments that are fine."""

from autograder.sandbox.calls import numbers

# Numbers on x86_64 and on aarch64.
DANGEROUS = numbers("""
fork 57 -; vfork 58 -; execve 59 221; execveat 322 281
ptrace 101 117; process_vm_readv 310 270; process_vm_writev 311 271; kcmp 312 272
pidfd_open 434 434; pidfd_getfd 438 438; pidfd_send_signal 424 424
tkill 200 130; rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240
process_madvise 440 440; process_mrelease 448 448; migrate_pages 256 238; move_pages 279 239
socket 41 198; connect 42 203; accept 43 202; accept4 288 242; bind 49 200; listen 50 201
sendmsg 46 211; sendmmsg 307 269; recvmsg 47 212; recvmmsg 299 243; setsockopt 54 208
shmget 29 194; shmat 30 196; shmctl 31 195; shmdt 67 197
semget 64 190; semop 65 193; semctl 66 191; semtimedop 220 192
msgget 68 186; msgsnd 69 189; msgrcv 70 188; msgctl 71 187
mq_open 240 180; mq_unlink 241 181; mq_timedsend 242 182; mq_timedreceive 243 183
mq_notify 244 184; mq_getsetattr 245 185
io_setup 206 0; io_destroy 207 1; io_getevents 208 4; io_submit 209 2; io_cancel 210 3
io_pgetevents 333 292; io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427
unshare 272 97; setns 308 268; mount 165 40; umount2 166 39; pivot_root 155 41; chroot 161 51
open_tree 428 428; move_mount 429 429; fsopen 430 430; fsconfig 431 431; fsmount 432 432
fspick 433 433; mount_setattr 442 442; statmount 457 457; listmount 458 458
open_tree_attr 467 467
bpf 321 280; perf_event_open 298 241; userfaultfd 323 282; seccomp 317 277
landlock_create_ruleset 444 444; landlock_add_rule 445 445; landlock_restrict_self 446 446
lsm_get_self_attr 459 459; lsm_set_self_attr 460 460; lsm_list_modules 461 461
keyctl 250 219; add_key 248 217; request_key 249 218
init_module 175 105; finit_module 313 273; delete_module 176 106
kexec_load 246 104; kexec_file_load 320 294; reboot 169 142; syslog 103 116; acct 163 89
swapon 167 224; swapoff 168 225; quotactl 179 60; quotactl_fd 443 443; vhangup 153 58
settimeofday 164 170; clock_settime 227 112; adjtimex 159 171; clock_adjtime 305 266
timer_create 222 107; personality 135 92; modify_ldt 154 -; iopl 172 -; ioperm 173 -
setuid 105 146; setgid 106 144; setreuid 113 145; setregid 114 143; setresuid 117 147
setresgid 119 149; setfsuid 122 151; setfsgid 123 152; setgroups 116 159; capset 126 91
setsid 112 157; setpgid 109 154; sethostname 170 161; setdomainname 171 162
setrlimit 160 164; setpriority 141 140; ioprio_set 251 30; sched_setaffinity 203 122
sched_setscheduler 144 119; sched_setparam 142 118; sched_setattr 314 274
name_to_handle_at 303 264; open_by_handle_at 304 265; mknod 133 -; mknodat 259 33
truncate 76 45; chmod 90 -; fchmod 91 52; fchmodat 268 53; fchmodat2 452 452
chown 92 -; fchown 93 55; lchown 94 -; fchownat 260 54
utime 132 -; utimes 235 -; futimesat 261 -; utimensat 280 88
setxattr 188 5; lsetxattr 189 6; fsetxattr 190 7; setxattrat 463 463
getxattr 191 8; lgetxattr 192 9; fgetxattr 193 10; getxattrat 464 464
listxattr 194 11; llistxattr 195 12; flistxattr 196 13; listxattrat 465 465
removexattr 197 14; lremovexattr 198 15; fremovexattr 199 16; removexattrat 466 466
file_getattr 468 468; file_setattr 469 469
inotify_init 253 -; inotify_init1 294 26; inotify_add_watch 254 27
fanotify_init 300 262; fanotify_mark 301 263
mlock 149 228; mlock2 325 284; mlockall 151 230; memfd_create 319 279; memfd_secret 447 447
remap_file_pages 216 234; pkey_alloc 330 289; pkey_mprotect 329 288
splice 275 76; tee 276 77; vmsplice 278 75; sync 162 81; syncfs 306 267
get_robust_list 274 100; cachestat 451 451
""")

OWN = 4711
# Arguments with which a call is allowed, and does nothing: most of them name no file, no memory.
FINE = {
    "open": (-1, 0),
    "openat": (-1, -1, 0),
    "fcntl": (-1, 1),
    "ioctl": (-1, 0x5401),
    "socketpair": (1, 1, 0, -1),
    "sendto": (-1, 0, 0, 0, 0, 0),
    "clone": (0x10000,),  # a thread without memory: there is no such thing
    "kill": (OWN, 0),
    "tgkill": (OWN, -1, 0),
    "prctl": (3,),
    "arch_prctl": (0x1003, -1),
    "prlimit64": (0, -1, 0, 0),
    "mmap": (0, 0, 0, 0, -1, 0),
    "madvise": (0, 0, 0),
    "getpgid": (0,),
    "getsid": (0,),
    "futex": (-1, 1),  # whatever is no operation of a futex is ENOSYS
}
