/// A link whose frames a DPDK Ethernet device carries.
protocol DeviceLink: PortLink {
    var ethernet: EthernetDevice { get }
}

extension DeviceLink {
    var state: UnsafeMutablePointer<LinkState> { ethernet.state }
    var queues: Int { ethernet.queues }
    var driver: String { ethernet.driver }
    var numaNode: Int { ethernet.numaNode }
    var wakes: Bool { ethernet.wakes }
    var megabits: UInt32 { ethernet.link.megabits }
    func askForPauseFrames() -> PauseFrames { ethernet.askForPauseFrames() }
}
