import DataPlane
import Packet
import Testing

@Suite("MAC addresses of taps") struct StableAddressTests {
    private let machines = (0..<64).map { String(repeating: "0", count: 30) + String($0 % 16, radix: 16) + String($0 / 16) }

    @Test("each machine, interface and namespace has its own, always the same, and none is a group's or a vendor's")
    func addresses() {
        var seen: Set<MACAddress> = []
        for machine in machines {
            for interface in ["tap0", "tap1", "sluice0"] {
                for namespace in [nil, "lab"] {
                    let address = MACAddress.stable(machine: machine, interface: interface, namespace: namespace)
                    #expect(address == MACAddress.stable(machine: machine, interface: interface, namespace: namespace))
                    #expect(address.value >> 40 & 3 == 2)
                    #expect(seen.insert(address).inserted)
                }
            }
        }
        for port in ["tap0", "uplink"] {
            let address = MACAddress.stable(machine: machines[0], port: port)
            #expect(address.value >> 40 & 3 == 2)
            #expect(seen.insert(address).inserted)
        }
        // It must not change from one version to the next, as neighbours remember it.
        #expect(MACAddress.stable(machine: "0123456789abcdef0123456789abcdef", interface: "sluice0", namespace: nil) == MACAddress("ba:ab:93:22:d7:98"))
    }
}
