/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in the journal: their MESSAGE_IDs, which never change, and the names of their fields. The catalog
 * (systemd/exc-instance-connect.catalog) explains each.
 */
#ifndef EXC_EVENTS_H
#define EXC_EVENTS_H

#define EVENT_RECEIVED "4d98dd3b9620683e69dcd86ee36d8165" /* a key was stored */
#define EVENT_REFUSED "5b94c1d6ae75ad5f9c483b3cd790d333"  /* a push or a revocation was refused */
#define EVENT_CLAIMED "1281102fdec785c67f97d2aedf0d9e34"  /* an SSH connection took a slot; the helper sends it */
#define EVENT_NO_SLOT "9efc753be9e68f245e0bb5794c2e22a4"  /* a live key, but its slots are taken; the helper sends it */
#define EVENT_EXPIRED "bc723d69e57c5476daf16a3efb8dea15"  /* a key was removed because it had expired */
#define EVENT_REVOKED "7e857319e0894775b0986464c3a3ebd5"  /* a key was removed because it was revoked */
#define EVENT_DAMAGED "142f81c623e61199bbbfbcaf8180e042"  /* a file that is not a grant was removed */
#define EVENT_FAILURE "eac16b8bffdfbe8db6e10b6f640940d5"  /* the agent or the helper cannot do its part */
#define EVENT_LOST "8d2ca3efa9af464c9a4827421e548b30"     /* the agent could not write some events */
#define EVENT_CALL_REFUSED "15d89118b6a4bb8d70cacfa0118d1244" /* a program's own filter refused a system call */

#define FIELD_USER "EXC_USER"
#define FIELD_FINGERPRINT "EXC_FINGERPRINT" /* as sshd writes it in "Accepted publickey" */
#define FIELD_REASON "EXC_REASON"           /* the wire error's name; at a key's end REASON_CLOCK_SET, or none */
#define REASON_CLOCK_SET "ClockSet"         /* it expired before its time: a clock was set, or a snapshot restored */
#define FIELD_PRINCIPAL "EXC_PRINCIPAL"
#define FIELD_REQUEST_ID "EXC_REQUEST_ID"
/* The process that writes "Accepted publickey". At a key's end: one for each SSH connection that took a slot. */
#define FIELD_SSHD_PID "EXC_SSHD_PID"
/* At a key's end: how many slots were taken, "1 of 2"; "any" where their number is not limited. */
#define FIELD_CONNECTIONS "EXC_CONNECTIONS"
/* Microseconds since 1970. At a key's end: when it was stored. Of an event that had to wait: when it happened. */
#define FIELD_STORED "EXC_STORED"
#define FIELD_TIME "EXC_TIME"
/* How many events before this one are lost, and when the first of them happened (microseconds since 1970). */
#define FIELD_LOST "EXC_LOST"
#define FIELD_LOST_SINCE "EXC_LOST_SINCE"
/* Of a system call that was refused: its number, in decimal, and its architecture, in hexadecimal (linux/audit.h). */
#define FIELD_CALL "EXC_SYSCALL"
#define FIELD_ARCHITECTURE "EXC_ARCHITECTURE"

#endif
