"""The pool of native threads, as LLVM IR.

One caller at a time owns the pool (`@busy`); anyone who finds it owned, a nested call included, does the work alone.
`@gate` holds two halves: above, the tickets (how many workers may still join), below, how many are inside. Whoever
moves a ticket from above to below may read the job, which stays as it is until the lower half is zero:

    owner   job := …; gate := (tickets, 0); own share; gate.tickets := 0; wait for gate.inside = 0
    worker  (t, k) -> (t - 1, k + 1) if t > 0; its share; (t, k) -> (t, k - 1); again

A worker that wakes too late finds no ticket, so that nobody waits for it. Shares are taken chunk by chunk from one
counter. Whoever has nothing to do looks at the gate for some microseconds and then sleeps on a condition variable.
No wake-up is lost: a sleeper announces itself (`@sleepers`, `@waiting`) before it looks at the gate for the last time,
a waker changes the gate before it looks for sleepers, and all four are sequentially consistent.
"""

from __future__ import annotations

import signal
from string import Template

__all__ = ["pool", "serial"]

# Every chunk by the calling thread. Chunks are the same for any number of threads, and so are results.
ALONE = """
define internal void @alone(ptr %body, ptr %ctx, i64 %n, i64 %chunk) {
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %loop, label %done
loop:
  %lo = phi i64 [0, %entry], [%hi, %loop]
  %left = sub i64 %n, %lo
  %step = call i64 @llvm.smin.i64(i64 %left, i64 %chunk)
  %hi = add i64 %lo, %step
  call void %body(ptr %ctx, i64 %lo, i64 %hi)
  %more = icmp slt i64 %hi, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
declare i64 @llvm.smin.i64(i64, i64)
"""

SERIAL = """
define void @cv_parallel_for(ptr %body, ptr %ctx, i64 %n, i64 %chunk, i64 %threads) {
  %whole = icmp slt i64 %chunk, 1
  %size = select i1 %whole, i64 %n, i64 %chunk
  call void @alone(ptr %body, ptr %ctx, i64 %n, i64 %size)
  ret void
}
define void @cv_pool_reset() {
  ret void
}
define void @cv_pool_rest(i64 %rounds) {
  ret void
}
define void @cv_pool_patience(i64 %rounds) {
  ret void
}
define i64 @cv_pool_workers() {
  ret i64 0
}
"""

STATE = """
@busy = internal global i32 0, align 128
@gate = internal global i32 0, align 128
@next = internal global i64 0, align 128
@sleepers = internal global i32 0, align 128
@waiting = internal global i32 0, align 128
@job.body = internal global ptr null, align 128
@job.ctx = internal global ptr null
@job.n = internal global i64 0
@job.chunk = internal global i64 0
@workers = internal global i64 0
@rounds = internal global i64 1000
; Larger than any system's; initialised by the system's own functions.
@mutex = internal global [256 x i8] zeroinitializer, align 128
@wake = internal global [256 x i8] zeroinitializer, align 128
@finished = internal global [256 x i8] zeroinitializer, align 128

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_attr_init(ptr)
declare i32 @pthread_attr_setstacksize(ptr, i64)
declare i32 @pthread_attr_destroy(ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @sigdelset(ptr, i32)

define void @cv_pool_reset() {
  store i64 0, ptr @workers
  store i32 0, ptr @gate
  store i32 0, ptr @sleepers
  store i32 0, ptr @waiting
  %m = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %w = call i32 @pthread_cond_init(ptr @wake, ptr null)
  %f = call i32 @pthread_cond_init(ptr @finished, ptr null)
  store atomic i32 0, ptr @busy seq_cst, align 4
  ret void
}
define void @cv_pool_patience(i64 %rounds) {
  store i64 %rounds, ptr @rounds
  ret void
}
define i64 @cv_pool_workers() {
  %workers = load i64, ptr @workers
  ret i64 %workers
}
"""

# What is taken from the shared counter until it has passed the end.
SHARE = """
define internal void @share() {
entry:
  %body = load ptr, ptr @job.body
  %ctx = load ptr, ptr @job.ctx
  %n = load i64, ptr @job.n
  %chunk = load i64, ptr @job.chunk
  br label %take
take:
  %k = atomicrmw add ptr @next, i64 1 monotonic
  %lo = mul i64 %k, %chunk
  %inside = icmp slt i64 %lo, %n
  br i1 %inside, label %run, label %done
run:
  %left = sub i64 %n, %lo
  %step = call i64 @llvm.smin.i64(i64 %left, i64 %chunk)
  %hi = add i64 %lo, %step
  call void %body(ptr %ctx, i64 %lo, i64 %hi)
  br label %take
done:
  ret void
}
"""

WORKER = """
define internal ptr @worker(ptr %unused) noinline {
start:
  %rounds = load i64, ptr @rounds
  br label %look
look:
  %spent = phi i64 [0, %start], [%more, %idle], [0, %left], [%spent, %take], [0, %awake]
  %gate = load atomic i32, ptr @gate monotonic, align 4
  %tickets = lshr i32 %gate, 16
  %open = icmp ne i32 %tickets, 0
  br i1 %open, label %take, label %idle
take:
  %in = sub i32 %gate, 65535
  %try = cmpxchg ptr @gate, i32 %gate, i32 %in seq_cst seq_cst
  %took = extractvalue { i32, i1 } %try, 1
  br i1 %took, label %work, label %look
work:
  call void @share()
  %old = atomicrmw sub ptr @gate, i32 1 seq_cst
  %inside = and i32 %old, 65535
  %last = icmp eq i32 %inside, 1
  br i1 %last, label %tell, label %left
tell:
  %asleep = load atomic i32, ptr @waiting seq_cst, align 4
  %owner = icmp ne i32 %asleep, 0
  br i1 %owner, label %signal, label %left
signal:
  %l1 = call i32 @pthread_mutex_lock(ptr @mutex)
  %s1 = call i32 @pthread_cond_signal(ptr @finished)
  %u1 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %left
left:
  br label %look
idle:
  $pause
  %more = add i64 %spent, 1
  %tired = icmp sge i64 %more, %rounds
  br i1 %tired, label %sleep, label %look
sleep:
  %l2 = call i32 @pthread_mutex_lock(ptr @mutex)
  %s2 = atomicrmw add ptr @sleepers, i32 1 seq_cst
  br label %check
check:
  %gate2 = load atomic i32, ptr @gate seq_cst, align 4
  %tickets2 = lshr i32 %gate2, 16
  %open2 = icmp ne i32 %tickets2, 0
  br i1 %open2, label %awake, label %wait
wait:
  %w2 = call i32 @pthread_cond_wait(ptr @wake, ptr @mutex)
  br label %check
awake:
  %s3 = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  %u2 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %look
}
define void @cv_pool_rest(i64 %rounds) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  $pause
  %seen = load atomic i32, ptr @gate monotonic, align 4
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret void
}
$declare_pause
"""

# Workers take no signals that Python handles: those are for threads that may be waiting in a system call. What a
# thread does to itself must still reach it.
GROW = """
define internal void @grow(i64 %wanted) noinline {
entry:
  %all = alloca [256 x i8], align 16
  %old = alloca [256 x i8], align 16
  %attr = alloca [256 x i8], align 16
  %id = alloca ptr
  %f = call i32 @sigfillset(ptr %all)
  $keep
  %b = call i32 @pthread_sigmask(i32 $block, ptr %all, ptr %old)
  %ai = call i32 @pthread_attr_init(ptr %attr)
  %as = call i32 @pthread_attr_setstacksize(ptr %attr, i64 4194304)
  br label %loop
loop:
  %have = load i64, ptr @workers
  %enough = icmp sge i64 %have, %wanted
  br i1 %enough, label %done, label %create
create:
  %error = call i32 @pthread_create(ptr %id, ptr %attr, ptr @worker, ptr null)
  %failed = icmp ne i32 %error, 0
  br i1 %failed, label %done, label %created
created:
  %thread = load ptr, ptr %id
  %d = call i32 @pthread_detach(ptr %thread)
  %more = add i64 %have, 1
  store i64 %more, ptr @workers
  br label %loop
done:
  %ad = call i32 @pthread_attr_destroy(ptr %attr)
  %r = call i32 @pthread_sigmask(i32 $setmask, ptr %old, ptr null)
  ret void
}
"""

OWNER = """
define void @cv_parallel_for(ptr %body, ptr %ctx, i64 %n, i64 %chunk0, i64 %threads0) {
entry:
  %whole = icmp slt i64 %chunk0, 1
  %size = select i1 %whole, i64 %n, i64 %chunk0
  %several = icmp sgt i64 %n, %size
  %threads = call i64 @llvm.smin.i64(i64 %threads0, i64 32767)
  %together = icmp sgt i64 %threads, 1
  %worth = and i1 %several, %together
  br i1 %worth, label %own, label %serial
own:
  %try = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %owned = extractvalue { i32, i1 } %try, 1
  br i1 %owned, label %publish, label %serial
serial:
  call void @alone(ptr %body, ptr %ctx, i64 %n, i64 %size)
  ret void
publish:
  %less = sub i64 %n, 1
  %full = udiv i64 %less, %size
  %limit = sub i64 %threads, 1
  ; There is nothing for more helpers than there are other chunks.
  %helpers = call i64 @llvm.smin.i64(i64 %full, i64 %limit)
  %have = load i64, ptr @workers
  %few = icmp slt i64 %have, %helpers
  br i1 %few, label %enlarge, label %ready
enlarge:
  call void @grow(i64 %helpers)
  br label %ready
ready:
  store ptr %body, ptr @job.body
  store ptr %ctx, ptr @job.ctx
  store i64 %n, ptr @job.n
  store i64 %size, ptr @job.chunk
  store atomic i64 0, ptr @next monotonic, align 8
  %count = trunc i64 %helpers to i32
  %tickets = shl i32 %count, 16
  store atomic i32 %tickets, ptr @gate seq_cst, align 4
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  ; Those who are awake will see the gate.
  %all64 = load i64, ptr @workers
  %all = trunc i64 %all64 to i32
  %watching = sub i32 %all, %asleep
  %calls = sub i32 %count, %watching
  %any = icmp sgt i32 %calls, 0
  br i1 %any, label %rouse, label %work
rouse:
  %l = call i32 @pthread_mutex_lock(ptr @mutex)
  br label %call
call:
  %i = phi i32 [0, %rouse], [%j, %call]
  %s = call i32 @pthread_cond_signal(ptr @wake)
  %j = add i32 %i, 1
  %again = icmp slt i32 %j, %calls
  br i1 %again, label %call, label %called
called:
  %u = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %work
work:
  call void @share()
  %g0 = atomicrmw and ptr @gate, i32 65535 seq_cst
  %rounds = load i64, ptr @rounds
  br label %look
look:
  %spent = phi i64 [0, %work], [%more, %idle]
  %g = load atomic i32, ptr @gate seq_cst, align 4
  %inside = icmp ne i32 %g, 0
  br i1 %inside, label %idle, label %done
idle:
  $pause
  %more = add i64 %spent, 1
  %tired = icmp sge i64 %more, %rounds
  br i1 %tired, label %sleep, label %look
sleep:
  %l2 = call i32 @pthread_mutex_lock(ptr @mutex)
  store atomic i32 1, ptr @waiting seq_cst, align 4
  br label %check
check:
  %g2 = load atomic i32, ptr @gate seq_cst, align 4
  %inside2 = icmp ne i32 %g2, 0
  br i1 %inside2, label %wait, label %awake
wait:
  %w2 = call i32 @pthread_cond_wait(ptr @finished, ptr @mutex)
  br label %check
awake:
  store atomic i32 0, ptr @waiting seq_cst, align 4
  %u2 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %done
done:
  store atomic i32 0, ptr @busy release, align 4
  ret void
}
"""

# How a processor is told that a loop only waits.
PAUSES = {
    "x86_64": ("call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"),
    "aarch64": ("call void @llvm.aarch64.hint(i32 1)", "declare void @llvm.aarch64.hint(i32)"),
}
PAUSES["arm64"] = PAUSES["aarch64"]


def serial() -> str:
    """Return the module for a system without POSIX threads: `cv_parallel_for` works, alone."""
    return ALONE + SERIAL


def pool(triple: str) -> str:
    """Return the module that defines `cv_parallel_for` and what Python needs to look after the pool."""
    pause, declare = PAUSES.get(triple.split("-")[0], ("", ""))
    own = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
    keep = "\n  ".join(f"%k{s:d} = call i32 @sigdelset(ptr %all, i32 {s:d})" for s in own)
    text = ALONE + STATE + SHARE + WORKER + GROW + OWNER
    return Template(text).substitute(
        pause=pause, declare_pause=declare, keep=keep, block=int(signal.SIG_BLOCK), setmask=int(signal.SIG_SETMASK)
    )
