import DPDKShim

/// The parts of a turn whose time is told apart where it is asked for.
public enum Stage: Int, CaseIterable, Sendable {
    /// Taking frames from rings.
    case poll
    /// Parsing, and dropping what may not enter.
    case admit
    /// Learning and looking up addresses.
    case bridge
    /// Finding leaves, passing the trees or queueing in them, and staging what passes.
    case classify
    /// Choosing frames from the trees, tagging and staging them.
    case schedule
    /// Giving frames to rings.
    case send
}

/// Time of one turn's stages, lap by lap. With `isOn` false, a constant wherever this is inlined, nothing of it remains.
struct StageClock {
    let isOn: Bool
    private var last: UInt64

    @inline(__always) @_noLocks
    init(isOn: Bool) {
        self.isOn = isOn
        last = isOn ? sluice_cycles() : 0
    }

    /// The time since the last lap was `stage`'s.
    @inline(__always) @_noLocks
    mutating func lap(_ stage: Stage, _ lcore: UnsafeMutablePointer<Lcore>) {
        if !isOn { return }
        let now = sluice_cycles()
        lcore.pointee.stageCycles[stage.rawValue] &+= now &- last
        last = now
    }

    /// The time since the last lap was nobody's: nothing was found to do.
    @inline(__always) @_noLocks
    mutating func skip() {
        if isOn { last = sluice_cycles() }
    }
}

extension DataPlane {
    /// Has all poll loops tell the stages' time apart until about `seconds` from now. Reading the clock between the stages costs each
    /// burst some hundred cycles, which is why they do not otherwise.
    public func measureStages(seconds: UInt64) {
        stagesMeasuredUntil = runtime.now + seconds * 1_000_000_000
        setStageClocks(true)
    }

    /// Called about once a second: ends a measurement that nobody asked to go on.
    func endStageMeasurement() {
        guard stagesMeasuredUntil != 0, runtime.now >= stagesMeasuredUntil else { return }
        stagesMeasuredUntil = 0
        setStageClocks(false)
    }

    private func setStageClocks(_ on: Bool) {
        for index in runtime.lcores.indices { (runtime.lcores.baseAddress! + index).pointee.measuresStages.store(on, ordering: .relaxed) }
    }
}
