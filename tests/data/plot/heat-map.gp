# Written by onrush plot. Its data are in heat-map.dat, and
#     gnuplot -e "term='png'" heat-map.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'heat-map'
data = 'heat-map.dat'
heading = 'Response over time'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
time_unit = 'ms'
time_axis = 'unset logscale x; set xrange [0:300000000]; set xtics ("0" 0, "50" 50000000, "100" 100000000, "150" 150000000, "200" 200000000, "250" 250000000, "300" 300000000)'
length_axis = 'set logscale y; set yrange [50000:100000000]; set ytics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
top = 100000000
rug = 85897277.68376304
most = 2
any_hole = 1

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

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
