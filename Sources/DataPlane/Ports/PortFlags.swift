/// Properties of a port beyond addresses and VLANs, as bits. Most ports have none, and then all bits are zero. Most bits correspond to a property of
/// `Configuration.PortRules`.
package struct PortFlags: Equatable, Sendable {
    package private(set) var rawValue: UInt32

    @inline(__always) @_noLocks
    private init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always) package static var none: PortFlags { @_noLocks get { PortFlags(0) } }
    @inline(__always) package static var isolated: PortFlags { @_noLocks get { PortFlags(1) } }
    @inline(__always) package static var hairpin: PortFlags { @_noLocks get { PortFlags(2) } }
    @inline(__always) package static var noLearning: PortFlags { @_noLocks get { PortFlags(4) } }
    /// The port gets no copies of frames to unknown addresses (`noUnknown`), to groups (`noMulticast`), or to everybody (`noBroadcast`).
    @inline(__always) package static var noUnknown: PortFlags { @_noLocks get { PortFlags(8) } }
    @inline(__always) package static var noMulticast: PortFlags { @_noLocks get { PortFlags(16) } }
    @inline(__always) package static var noBroadcast: PortFlags { @_noLocks get { PortFlags(32) } }
    @inline(__always) package static var locked: PortFlags { @_noLocks get { PortFlags(64) } }
    /// The port has limits on what is flooded for it (`stormControl`), or on the number of addresses learned behind it (`addressLimit`); they are in
    /// `Snapshot.limits`.
    @inline(__always) package static var stormControl: PortFlags { @_noLocks get { PortFlags(128) } }
    @inline(__always) package static var addressLimit: PortFlags { @_noLocks get { PortFlags(256) } }
    @inline(__always) package static var forwardsBPDUs: PortFlags { @_noLocks get { PortFlags(512) } }
    @inline(__always) package static var guardsBPDUs: PortFlags { @_noLocks get { PortFlags(1_024) } }

    /// Frames that come in by the port are dropped, and none leave by it.
    @inline(__always) package static var shut: PortFlags { @_noLocks get { PortFlags(65_536) } }

    /// Frames that come in by the port may say their priority themselves (`Snapshot.trusts`).
    @inline(__always) package static var trusts: PortFlags { @_noLocks get { PortFlags(131_072) } }

    /// The port has an LLDP agent.
    @inline(__always) package static var hasAgent: PortFlags { @_noLocks get { PortFlags(262_144) } }

    // On a bridge on which the frames of some port all take the uplink, each port has exactly one of the next five.
    /// The port is the uplink.
    @inline(__always) package static var wire: PortFlags { @_noLocks get { PortFlags(2_048) } }
    @inline(__always) package static var bridged: PortFlags { @_noLocks get { PortFlags(4_096) } }
    @inline(__always) package static var vepa: PortFlags { @_noLocks get { PortFlags(8_192) } }
    @inline(__always) package static var secluded: PortFlags { @_noLocks get { PortFlags(16_384) } }
    @inline(__always) package static var passthru: PortFlags { @_noLocks get { PortFlags(32_768) } }
    @inline(__always) static var detours: PortFlags { @_noLocks get { vepa | secluded | passthru } }
    @inline(__always) static var local: PortFlags { @_noLocks get { bridged | detours } }

    /// A bit that no port has.
    @inline(__always) static var nobody: PortFlags { @_noLocks get { PortFlags(0x8000_0000) } }

    /// The bits that can change the way of a frame that is not flooded.
    @inline(__always) static var ways: PortFlags {
        @_noLocks get { isolated | hairpin | noLearning | locked | stormControl | addressLimit | forwardsBPDUs | shut | wire | local }
    }

    /// Whether any of `flags` is set.
    @inline(__always) @_noLocks
    package func has(_ flags: PortFlags) -> Bool { rawValue & flags.rawValue != 0 }

    @inline(__always) @_noLocks
    func hasAll(_ flags: PortFlags) -> Bool { rawValue & flags.rawValue == flags.rawValue }

    @inline(__always) @_noLocks
    func without(_ flags: PortFlags) -> PortFlags { PortFlags(rawValue & ~flags.rawValue) }

    /// | All bits of both.
    @inline(__always) @_noLocks
    package static func | (one: PortFlags, other: PortFlags) -> PortFlags { PortFlags(one.rawValue | other.rawValue) }
}
