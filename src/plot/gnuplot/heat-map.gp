eval time_axis
eval length_axis
set xlabel "intended start (" . time_unit . " since the start of measure)"
set label 70 "response" at screen 0.022, graph 0.5 rotate center tc rgb ink
set logscale cb
set cbrange [1:most]
set cbtics scale 0.4
set cblabel "requests in a cell" tc rgb ink
set colorbox user origin screen 0.89, 0.12 size 0.015, 0.73 noborder
# From green, which stands out from the paper for a single request, through viridis to its dark.
set palette defined (0 "#8BD05A", 1 "#35B779", 2 "#21918C", 3 "#31688E", 4 "#443983", 5 "#440154")
set style fill solid border
if (any_hole) set label 91 "holes" at graph 1, graph 1.03 right tc rgb purple font ",11"

plot data index "cells" using 1:3:1:2:3:4:5 with boxxyerror lw 0.3 lc palette, \
     data index "holes" using 1:(rug):1:2:(rug):(top) with boxxyerror lw 1 lc rgb purple
