extension Scenario {
    /// Sets the duration from a text such as `5s`, and checks the scenario again.
    public mutating func setDuration(_ text: String) throws(ScenarioError) {
        guard let value = Quantity.nanoseconds(text) else { throw ScenarioError("the duration is `\(text)`, but must be \(Quantity.acceptedDuration)") }
        duration = value
        try check()
    }

    /// A scenario with every key, which `sluice-gen example` prints.
    public static let example = """
        # Two guests behind vhost-user sockets and the far end of an uplink behind a memif.
        duration: 10s          # none: until SIGINT, SIGTERM or `quit`
        report-every: 1s
        bin: 10ms              # width of the windows kept for each flow
        drain: 2s              # most time to wait for frames still queued in the switch
        catch-up: 20ms         # by how much a flow that was held up may exceed its rate afterwards
        connect: 10s           # most time to wait for ports to connect
        learn: true            # announce all source addresses first

        ports:
          # server: true listens, as QEMU does for a switch in vhost-user client mode.
          - {name: vm1, device: "virtio_user:/tmp/vm1.sock", server: true, mac: "52:54:00:00:00:01", queues: 1, packed: true, ring: 1024}
          - {name: vm2, device: "virtio_user:/tmp/vm2.sock", server: true, mac: "52:54:00:00:00:02"}
          # Any DPDK device string or PCI address.
          - {name: far, device: "net_memif0,role=client,id=0,socket=/tmp/memif.sock,socket-abstract=no", mac: "02:00:00:00:00:99"}

        flows:
          # to: a port's name, or a MAC address with `at: PORT` for where it should arrive.
          # protocol: udp, tcp, iscsi, fcoe, fip, roce, rocev2, nvme-tcp, or an EtherType (0x88b5).
          # size: bytes without FCS and tag, a list sent in turn, or imix.  rate: 200mbit, 1mpps, max, off.
          - {name: bulk, from: vm1, to: far, protocol: udp, size: 1514, rate: 400mbit, subflows: 100, floor: 500mbit}
          # part-of: counted in that flow's row of the table, and against its floor, too.
          - {name: disk, from: vm1, to: far, protocol: iscsi, size: 1514, rate: 100mbit, floor: 100mbit, part-of: bulk}
          - {name: small, from: vm2, to: vm1, protocol: tcp, size: 72, rate: 100kpps, port: 5201, dscp: 10, ipv6: false}
          - {name: tagged, from: vm2, to: far, protocol: 0x88b5, vlan: 7, pcp: 5, size: imix, rate: 50mbit, macs: 4, start: 2s, stop: 8s}
          - {name: other, from: far, to: "02:00:00:00:00:50", at: vm1, mac: "02:00:00:00:00:98", rate: 1kpps}
          # macs and to-macs count up from mac and to: the n-th source sends to the n-th destination, with `vlan: 10, vlans: 200` in the n-th of 200 VLANs.
          - {name: many, from: vm1, to: "52:54:00:02:00:00", at: vm2, mac: "52:54:00:01:00:00", macs: 500, to-macs: 500, rate: 10kpps}
          - {name: many-back, from: vm2, to: "52:54:00:01:00:00", at: vm1, mac: "52:54:00:02:00:00", macs: 500, to-macs: 500, rate: 10kpps}

        # Changes during the run; a name may end in *.
        steps:
          - {at: 5s, flows: [bulk], rate: max, note: "vm1 wants everything"}

        # What the exit status and the verdicts speak of.
        expect:
          - {name: bulk, flows: [bulk], from: 1s, to: 5s, at-least: 400mbit, at-most: 410mbit, within: 1%}
          - {name: all, flows: ["*"], intact: true, loss-at-most: 50%}

        """
}
