/// A port through which frames circulate.
enum CirculationPort {
    case device(OpenPort)
    case ownRings(RingPort)

    /// The DPDK device; 0 for a port with rings of its own, which has none.
    var device: UInt16 { if case .device(let port) = self { port.device } else { 0 } }
    var rings: RingPort? { if case .ownRings(let port) = self { port } else { nil } }
    var openPort: OpenPort? { if case .device(let port) = self { port } else { nil } }

    var announcing: any AnnouncingPort {
        switch self {
        case .device(let port): port
        case .ownRings(let port): port
        }
    }

    func close() {
        switch self {
        case .device(let port): port.close()
        case .ownRings(let port): port.close()
        }
    }
}
