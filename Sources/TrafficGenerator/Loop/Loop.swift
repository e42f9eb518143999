import DPDKShim

#if DEBUG
    // That nothing here allocates or takes locks (@_noLocks) is checked by the compiler in optimized code only.
    #error("a debug build cannot have poll loops: use `swift build -c release`")
#endif

/// The worker's thread: one loop over all ports until it is told to stop.
@c(sluice_generator_worker)
func generatorWorker(_ context: UnsafeMutableRawPointer?) -> CInt {
    guard let context else { return -1 }
    runLoop(context.assumingMemoryBound(to: LoopState.self))
    return 0
}

@_noLocks
func runLoop(_ loop: UnsafeMutablePointer<LoopState>) {
    // The time until the thread began to run is not a stall.
    loop.pointee.now = loop.pointee.clock.nanoseconds(sluice_cycles())
    while loop.pointee.stop == 0 {
        for port in 0..<loop.pointee.portCount { receive(loop, port) }
        advance(loop)
        while loop.pointee.nextStep < loop.pointee.stepCount, loop.pointee.steps[loop.pointee.nextStep].at <= loop.pointee.now { step(loop) }
        if loop.pointee.now < loop.pointee.sendUntil {
            for port in 0..<loop.pointee.portCount { transmit(loop, loop.pointee.ports + port) }
        }
    }
    let stage = loop.pointee.stage
    if stage.stockCount > 0 { sluice_frames_free(stage.stock, UInt32(truncatingIfNeeded: stage.stockCount)) }
    loop.pointee.stage.stockCount = 0
}

/// Reads the clock, notices stalls, and moves on to the present window of time.
@_noLocks @inline(__always)
func advance(_ loop: UnsafeMutablePointer<LoopState>) {
    let now = loop.pointee.clock.nanoseconds(sluice_cycles())
    if now &- loop.pointee.now > Disturbance.bound &+ loop.pointee.work &* loop.pointee.timePerFrame {
        loop.pointee.disturbance.stall(from: loop.pointee.now, to: now)
    }
    loop.pointee.work = 0
    loop.pointee.now = now
    while now >= loop.pointee.binEnd {
        loop.pointee.binEnd &+= loop.pointee.binWidth
        if loop.pointee.bin < loop.pointee.binCount &- 1 { loop.pointee.bin &+= 1 }
    }
}

/// Makes the next change of rate that is known in advance. Its flow starts afresh: frames that were due at the old rate are forgotten.
@_noLocks
func step(_ loop: UnsafeMutablePointer<LoopState>) {
    let step = loop.pointee.steps + loop.pointee.nextStep
    let flow = loop.pointee.flows + step.pointee.flow
    flow.pointee.pace.perByte = step.pointee.pace.perByte
    flow.pointee.pace.perFrame = step.pointee.pace.perFrame
    flow.pointee.pace.mode = step.pointee.pace.mode
    flow.pointee.due = step.pointee.at &<< 16
    loop.pointee.nextStep &+= 1
}
