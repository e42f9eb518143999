// DCB
